// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>
#include <poll.h>
#include <umockdev.h>

#include "sources/source.h"

namespace p2pd::test {
namespace {

class WatchTest : public testing::Test {
 protected:
  WatchTest() : testbed_(umockdev_testbed_new()), watch_(start()) {}
  ~WatchTest() override { g_object_unref(testbed_); }

  static Watch start() {
    auto watch = Watch::start();
    if (!watch) throw std::runtime_error(watch.error().text);
    return std::move(*watch);
  }

  // Returns its path. The testbed tells udev about it.
  std::string add(const char* subsystem, const char* name) {
    gchar* path = umockdev_testbed_add_device(testbed_, subsystem, name, nullptr, "vendor", "0x8086", nullptr, nullptr);
    std::string result = path;
    g_free(path);
    return result;
  }
  void tell(const std::string& path, const char* action) { umockdev_testbed_uevent(testbed_, path.c_str(), action); }

  // What came; waits for the first of it.
  Watch::Changes drain() {
    pollfd ready{.fd = watch_.fd(), .events = POLLIN, .revents = 0};
    poll(&ready, 1, 5000);
    return watch_.drain();
  }

  using Addresses = std::vector<Address>;
  UMockdevTestbed* testbed_;
  Watch watch_;
};

TEST_F(WatchTest, TellsOfAFunctionThatComesChangesAndGoes) {
  const auto path = add("pci", "0000:01:00.0");
  EXPECT_EQ(drain().addresses, (Addresses{{0, 1, 0, 0}}));
  tell(path, "change");
  EXPECT_EQ(drain().addresses, (Addresses{{0, 1, 0, 0}}));
  tell(path, "bind");
  EXPECT_EQ(drain().addresses, (Addresses{{0, 1, 0, 0}}));
  tell(path, "remove");
  EXPECT_EQ(drain().addresses, (Addresses{{0, 1, 0, 0}}));
}

TEST_F(WatchTest, TellsOfAFunctionThatWentThoughItsAddressIsTakenAgain) {
  const auto path = add("pci", "0000:01:00.0");
  add("pci", "0000:02:00.0");
  EXPECT_TRUE(drain().removed.empty());
  tell(path, "remove");
  tell(path, "add");
  const auto changes = drain();
  EXPECT_EQ(changes.addresses, (Addresses{{0, 1, 0, 0}}));
  EXPECT_EQ(changes.removed, (Addresses{{0, 1, 0, 0}}));
}

TEST_F(WatchTest, NamesEachFunctionOnceHoweverManyEventsCame) {
  const auto second = add("pci", "10000:02:00.1");
  const auto first = add("pci", "0000:01:00.0");
  for (int count = 0; count < 4; ++count) tell(second, "change");  // a testbed's queue holds ten
  tell(first, "change");
  const auto changes = drain();
  EXPECT_EQ(changes.addresses, (Addresses{{0, 1, 0, 0}, {0x10000, 2, 0, 1}}));
  EXPECT_FALSE(changes.is_incomplete);
}

TEST_F(WatchTest, HearsOnlyOfPci) {
  add("usb", "usb1");
  add("net", "0000:05:00.0");
  add("pci", "0000:01:00.0");
  EXPECT_EQ(drain().addresses, (Addresses{{0, 1, 0, 0}}));
}

TEST_F(WatchTest, HasNothingToSayWhenNothingHappened) {
  add("pci", "0000:01:00.0");
  ASSERT_EQ(drain().addresses.size(), 1U);
  EXPECT_TRUE(watch_.drain().addresses.empty());
  EXPECT_FALSE(watch_.drain().is_incomplete);
}

TEST_F(WatchTest, FindsInEnumerationWhatItHeardOf) {
  add("pci", "0000:01:00.0");
  ASSERT_EQ(drain().addresses.size(), 1U);
  const auto machine = read_live_machine({});
  ASSERT_TRUE(machine) << machine.error().text;
  ASSERT_EQ(machine->functions().size(), 1U);
  EXPECT_EQ(machine->functions()[0].vendor, 0x8086);
}

}  // namespace
}  // namespace p2pd::test
