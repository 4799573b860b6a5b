// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <limits>
#include <type_traits>

#include "model/access.h"
#include "model/units.h"

namespace p2pd::test {

namespace {

constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

// Mixed-up addresses must not compile.
static_assert(!std::is_convertible_v<Iova, BusAddress> && !std::is_convertible_v<BusAddress, CpuAddress>);
static_assert(!std::is_constructible_v<Range<Iova>, BusAddress, Bytes>);

TEST(Range, IsNeverEmptyAndNeverWraps) {
  EXPECT_FALSE(make_range(Iova{0x1000}, Bytes{0}));
  EXPECT_FALSE(make_range(Iova{largest}, Bytes{2}));
  EXPECT_TRUE(make_range(Iova{1}, Bytes{largest}));
  EXPECT_FALSE(make_range(Iova{2}, Bytes{largest}));
  ASSERT_TRUE(make_range(Iova{largest}, Bytes{1}));
  EXPECT_EQ(make_range(Iova{largest}, Bytes{1})->last(), largest);
}

TEST(Range, OverlapsWhatSharesAByte) {
  const Range<Iova> range{Iova{0x1000}, Bytes{0x1000}};
  EXPECT_TRUE(range.overlaps({Iova{0x1fff}, Bytes{1}}));
  EXPECT_TRUE(range.overlaps({Iova{0}, Bytes{0x1001}}));
  EXPECT_TRUE(range.overlaps({Iova{0}, Bytes{0x10000}}));
  EXPECT_FALSE(range.overlaps({Iova{0x2000}, Bytes{1}}));
  EXPECT_FALSE(range.overlaps({Iova{0}, Bytes{0x1000}}));
  EXPECT_FALSE(range.overlaps({Iova{0x1800}, Bytes{0}}));
}

TEST(Range, ContainsWhatLiesWhollyInIt) {
  const Range<Iova> range{Iova{0x1000}, Bytes{0x1000}};
  EXPECT_TRUE(range.contains(range));
  EXPECT_TRUE(range.contains({Iova{0x1fff}, Bytes{1}}));
  EXPECT_FALSE(range.contains({Iova{0xfff}, Bytes{2}}));
  EXPECT_FALSE(range.contains({Iova{0x1fff}, Bytes{2}}));
}

TEST(Access, AllowsNoMoreThanWasGranted) {
  EXPECT_TRUE(allows(Access::read_write, Access::read));
  EXPECT_TRUE(allows(Access::write, Access::write));
  EXPECT_FALSE(allows(Access::read, Access::write));
  EXPECT_FALSE(allows(Access::read, Access::read_write));
}

TEST(Access, IsReadAndWrittenTheSame) {
  for (const auto* text : {"r", "w", "rw"}) EXPECT_EQ(to_string(parse_access(text).value()), text);
  for (const auto* text : {"", "wr", "R", "rwx"}) EXPECT_FALSE(parse_access(text)) << text;
}

}  // namespace

}  // namespace p2pd::test
