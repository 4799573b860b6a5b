// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Binding and unbinding all functions of an IOMMU group: all or none, each with the driver that it had.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>

#include "driver/binding.h"
#include "fake_sysfs.h"

namespace p2pd {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class DriverGroup : public testing::Test {
 protected:
  const Address card{0, 1, 0, 0};
  const Address disk{0, 1, 0, 1};
  const Address spare{0, 1, 0, 2};
  const std::vector<Address> group{card, disk, spare};

  DriverGroup() {
    for (const auto* driver : {"nvme", "e1000", "vfio-pci"}) fs::create_directories(tree.sysfs() / "bus/pci/drivers" / driver);
    for (const auto& [address, driver] : own) tree.add({.address = address, .driver = driver, .group = 7});
    tree.write("proc/swaps", "Filename Type Size Used Priority\n");
    set_mounts("");
  }
  // drivers/base/{bus,dd}.c as far as it is seen from outside.
  Outcome<void> write(const fs::path& file, const std::string& text) {
    const auto name = file.filename().string();
    const auto line = text.substr(0, text.find('\n'));
    if (name == "drivers_probe" || name == "bind") {
      const auto address = Address::parse(line).value();
      if (refused == name + " " + line) return refuse(ErrorCode::failed, "EIO");
      const auto forced = override_of(address);
      tree.bind(address, name == "bind" ? file.parent_path().filename().string() : forced == "(null)" ? own.at(address) : forced);
      return {};
    }
    const auto address = Address::parse((name == "unbind" ? file.parent_path() : file).parent_path().filename().string()).value();
    if (refused == name + " " + address.to_string()) return refuse(ErrorCode::failed, "EIO");
    ++writes;
    if (name == "unbind")
      tree.bind(address, "");
    else
      std::ofstream(file) << (line.empty() ? "(null)" : line) << '\n';
    return {};
  }
  Outcome<void> bind(bool force = false) { return bind_all_to_vfio_by(writer(), paths(), group, force); }
  Outcome<void> unbind(int probed = 0) {
    return unbind_all_from_vfio_by(writer(), paths(), group, {}, [=](const fs::path&) { return probed; });
  }
  void set_mounts(const std::string& line) { tree.write("proc/self/mountinfo", line); }
  [[nodiscard]] std::map<Address, std::string> drivers() const {
    std::map<Address, std::string> result;
    for (const auto& address : group) {
      std::error_code none;
      result[address] = fs::read_symlink(tree.device(address) / "driver", none).filename();
    }
    return result;
  }
  [[nodiscard]] std::string override_of(const Address& address) const {
    std::string text;
    std::ifstream(tree.device(address) / "driver_override") >> text;
    return text;
  }
  [[nodiscard]] bool has_no_overrides() const {
    return std::all_of(group.begin(), group.end(), [&](const Address& one) { return override_of(one) == "(null)"; });
  }
  [[nodiscard]] DriverPaths paths() const {
    return {.sysfs_root = tree.sysfs(), .proc_root = tree.top() / "proc", .vfio_directory = tree.top() / "dev/vfio"};
  }
  SysfsWriter writer() {
    return [this](const fs::path& file, const std::string& text) { return write(file, text); };
  }

  test::FakeSysfs tree;
  const std::map<Address, std::string> own{{card, "e1000"}, {disk, "nvme"}, {spare, ""}};
  const std::map<Address, std::string> vfio{{card, "vfio-pci"}, {disk, "vfio-pci"}, {spare, "vfio-pci"}};
  std::string refused;  // "unbind 0000:01:00.1"
  unsigned writes = 0;
};

TEST_F(DriverGroup, IsBoundAndGetsItsOwnDriversBack) {
  ASSERT_EQ(drivers(), own);
  ASSERT_TRUE(bind());
  EXPECT_EQ(drivers(), vfio);
  ASSERT_TRUE(unbind());
  EXPECT_EQ(drivers(), own);
  EXPECT_TRUE(has_no_overrides());
}

TEST_F(DriverGroup, IsLookedAtBeforeAnyOfItIsTouched) {
  const auto place = tree.device(disk) / "nvme/nvme0/nvme0n1";
  fs::create_directories(place);
  fs::create_directories(tree.sysfs() / "class/block");
  fs::create_directory_symlink(place, tree.sysfs() / "class/block/nvme0n1");
  std::ofstream(place / "dev") << "259:0\n";
  set_mounts("36 35 259:0 / /srv rw - ext4 /dev/nvme0n1 rw\n");
  const auto outcome = bind();
  EXPECT_EQ(outcome.error().code, ErrorCode::busy);
  EXPECT_THAT(outcome.error().text, HasSubstr("0000:01:00.1 is in use: nvme0n1 is mounted on /srv"));
  EXPECT_EQ(writes, 0U);
  EXPECT_TRUE(bind(true));
  EXPECT_EQ(drivers(), vfio);
}

class DriverGroupFailures : public DriverGroup, public testing::WithParamInterface<const char*> {};

TEST_P(DriverGroupFailures, LeaveEachWithItsOwnDriver) {
  refused = GetParam();
  EXPECT_FALSE(bind());
  EXPECT_GT(writes, 0U);
  EXPECT_EQ(drivers(), own);
  EXPECT_TRUE(has_no_overrides());
}

INSTANTIATE_TEST_SUITE_P(OfTheSecondOrThird, DriverGroupFailures,
                         testing::Values("driver_override 0000:01:00.1", "unbind 0000:01:00.1", "drivers_probe 0000:01:00.1",
                                         "drivers_probe 0000:01:00.2"));

TEST_F(DriverGroup, StaysOnVfioWhenOneOfItDoesNotGo) {
  ASSERT_TRUE(bind());
  refused = "unbind 0000:01:00.1";
  EXPECT_FALSE(unbind());
  EXPECT_EQ(drivers(), vfio);
  refused.clear();
  EXPECT_EQ(unbind(EBUSY).error().code, ErrorCode::busy) << "somebody has it open";
  EXPECT_EQ(drivers(), vfio);
}

}  // namespace
}  // namespace p2pd
