// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "model/address.h"
#include "model/target_name.h"

namespace p2pd::test {

namespace {

TEST(Address, IsReadAndWrittenTheSame) {
  for (const auto* text : {"0000:00:00.0", "0000:03:1f.7", "10000:e1:00.0", "ffffffff:ff:1f.7"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(Address, TakesUpperCaseAndWritesLowerCase) { EXPECT_EQ(Address::parse("00AB:CD:1E.0")->to_string(), "00ab:cd:1e.0"); }

TEST(Address, IsNothingElse) {
  for (const auto* text : {"", "03:00.0", "0000:03:00", "0000:03:00.8", "0000:03:20.0", "0000:3:00.0", "0000:03:00.0 ",
                           " 0000:03:00.0", "0000-03:00.0", "00000:03:00.0", "123456789:03:00.0", "-001:03:00.0", "0000:+3:00.0",
                           "0000:03:00,0", "000g:03:00.0", "0000:03:00.00"})
    EXPECT_FALSE(Address::parse(text)) << text;
}

RC_GTEST_PROP(Address, RoundTrips, (std::uint32_t domain, std::uint8_t bus)) {
  const Address address{domain, bus, *rc::gen::inRange<std::uint8_t>(0, 32), *rc::gen::inRange<std::uint8_t>(0, 8)};
  RC_ASSERT(Address::parse(address.to_string()) == address);
}

TEST(TargetName, IsReadAndWrittenTheSame) {
  for (const auto* text : {"0000:04:00.0:2", "10000:04:00.0:0", "0000:04:00.0:5:0x1000+0x2000", "0000:04:00.0:2:0x0+0x1000"}) {
    const auto name = TargetName::parse(text);
    ASSERT_TRUE(name) << text;
    EXPECT_EQ(name->to_string(), text);
  }
}

TEST(TargetName, TakesDecimalAndHex) {
  const auto name = TargetName::parse("0000:04:00.0:2:4096+8192");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->offset, Bytes{4096});
  EXPECT_EQ(name->length, Bytes{8192});
  EXPECT_EQ(TargetName::parse("0000:04:00.0:2:0x1000+0x2000"), name);
}

TEST(TargetName, IsNothingElse) {
  for (const auto* text :
       {"", "0000:04:00.0", "0000:04:00.0:", "0000:04:00.0:6", "0000:04:00.0:-1", "0000:04:00.0:02", "04:00.0:2",
        "0000:04:00.0:2:", "0000:04:00.0:2:0x1000", "0000:04:00.0:2:+0x1000", "0000:04:00.0:2:0x1000+", "0000:04:00.0:2:0+0",
        "0000:04:00.0:2:0xffffffffffffffff+0x1000", "0000:04:00.0:2:1+0x10000000000000000", "0000:04:00.0:2:-1+1",
        "0000:04:00.0:2:0x+1", "0000:04:00.0:2:1+1 "})
    EXPECT_FALSE(TargetName::parse(text)) << text;
}

}  // namespace

}  // namespace p2pd::test
