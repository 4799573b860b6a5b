// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "builders.h"
#include "sources/pictures.h"

namespace p2pd::test {
namespace {

constexpr auto card = "0000:03:00.0";
constexpr auto disk = "0000:04:00.0";

Machine machine(const Change& change = [](Function&) {}) {
  return a_machine().with(an_endpoint(card).with(change), an_endpoint(disk));
}

TEST(Pictures, AreOneWhenADeviceChanges) {
  const auto now = machine(driver("nvme"));
  EXPECT_EQ(pictures(machine(), now, {}), std::vector{now});
}

TEST(Pictures, AreOneWhenADeviceGoesOrComes) {
  const Machine alone = a_machine().with(an_endpoint(disk));
  EXPECT_EQ(pictures(machine(), alone, {at(card)}), std::vector{alone});
  EXPECT_EQ(pictures(alone, machine(), {at(card)}), std::vector{machine()}) << "came, went and came";
}

TEST(Pictures, AreTwoWhenADeviceWentAndCame) {
  const auto shown = pictures(machine(), machine(), {at(card)});
  ASSERT_EQ(shown.size(), 2U);
  EXPECT_EQ(shown[0].find(at(card)), nullptr);
  EXPECT_NE(shown[0].find(at(disk)), nullptr);
  EXPECT_EQ(shown[1], machine());
}

TEST(Pictures, AreTwoWhenAnotherDeviceSitsAtTheAddress) {
  const std::vector<Change> others{
      ids(0x1d1d, 0x0002),
      ids(0x1d1e, 0x0001),
      [](Function& function) { function.subsystem_vendor = 1; },
      [](Function& function) { function.subsystem_device = 1; },
      [](Function& function) { function.class_code = 0x010802; },
      [](Function& function) { function.revision = 1; },
  };
  for (const auto& other : others) {
    const auto shown = pictures(machine(), machine(other), {});
    ASSERT_EQ(shown.size(), 2U);
    EXPECT_EQ(shown[0].find(at(card)), nullptr);
    EXPECT_EQ(shown[1], machine(other));
  }
}

}  // namespace
}  // namespace p2pd::test
