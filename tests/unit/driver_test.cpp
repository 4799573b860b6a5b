// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Binding and unbinding on a tree of files, with a test that plays the kernel behind them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "driver/binding.h"
#include "model/unique_fd.h"

namespace p2pd {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Address disk{0, 1, 0, 0};

class Tree {
 public:
  Tree() {
    write(device() / "class", "0x010802");
    write(device() / "driver_override", "(null)");
    for (const char* driver : {"nvme", "vfio-pci"}) fs::create_directories(drivers() / driver);
    fs::create_symlink(device(), at_bus());
    write(paths_.proc_root / "self/mountinfo", "");
    write(paths_.proc_root / "swaps", "Filename Type Size Used Priority");
    set_driver("nvme");
  }
  ~Tree() { fs::remove_all(root_); }

  [[nodiscard]] const DriverPaths& paths() const { return paths_; }
  [[nodiscard]] fs::path sys() const { return paths_.sysfs_root; }
  [[nodiscard]] fs::path proc() const { return paths_.proc_root; }
  [[nodiscard]] fs::path device() const { return sys() / "devices/pci0000:00/0000:00:01.0/0000:01:00.0"; }
  [[nodiscard]] fs::path drivers() const { return sys() / "bus/pci/drivers"; }

  void set_driver(const std::string& driver) {
    fs::remove(device() / "driver");
    if (!driver.empty()) fs::create_symlink(drivers() / driver, device() / "driver");
  }
  [[nodiscard]] std::string driver() const {
    std::error_code error;
    return fs::read_symlink(device() / "driver", error).filename();
  }
  [[nodiscard]] std::string override_text() const {
    std::string text;
    std::ifstream(device() / "driver_override") >> text;
    return text;
  }

  static void write(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }

  // A block device or interface somewhere below /sys/devices, with its link in /sys/class.
  fs::path add(const std::string& subsystem, const fs::path& place) {
    fs::create_directories(place);
    fs::create_directories(sys() / "class" / subsystem);
    fs::create_directory_symlink(place, sys() / "class" / subsystem / place.filename());
    return place;
  }
  fs::path add_disk(const std::string& name, const std::string& number) {
    const auto place = add("block", device() / "nvme/nvme0" / name);
    write(place / "dev", number);
    return place;
  }
  fs::path add_partition(const fs::path& of, const std::string& name, const std::string& number) {
    const auto place = add("block", of / name);
    write(place / "dev", number);
    write(place / "partition", "1");
    return place;
  }
  fs::path add_virtual_disk(const std::string& name, const std::string& number, const fs::path& upon) {
    const auto place = add("block", sys() / "devices/virtual/block" / name);
    write(place / "dev", number);
    fs::create_directories(upon / "holders");
    fs::create_directory_symlink(place, upon / "holders" / name);
    return place;
  }

 private:
  [[nodiscard]] fs::path at_bus() const {
    fs::create_directories(sys() / "bus/pci/devices");
    return sys() / "bus/pci/devices/0000:01:00.0";
  }
  static fs::path make_root() {
    std::string name = (fs::temp_directory_path() / "driver-XXXXXX").string();
    return ::mkdtemp(name.data());
  }

  fs::path root_ = make_root();
  DriverPaths paths_{.sysfs_root = root_ / "sys", .proc_root = root_ / "proc", .vfio_directory = root_ / "dev"};
};

// drivers/base/{bus,dd}.c as far as it is seen from outside.
class Kernel {
 public:
  explicit Kernel(Tree& tree) : tree_(tree) {}

  Outcome<void> write(const fs::path& file, const std::string& text) {
    lines_.push_back(file.lexically_relative(tree_.sys()).string() + " < " + text.substr(0, text.find('\n')));
    const auto name = file.filename().string();
    if (name == refused) return refuse(ErrorCode::failed, "EIO");
    if (name == "driver_override") Tree::write(file, text == "\n" ? "(null)" : text);
    if (name == "unbind") tree_.set_driver("");
    if (name == "bind") tree_.set_driver(file.parent_path().filename());
    if (name == "drivers_probe") probe();
    return {};
  }
  SysfsWriter writer() {
    return [this](const fs::path& file, const std::string& text) { return write(file, text); };
  }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

  std::string refused;            // the file whose writes fail
  bool vfio_probe_fails = false;  // vfio-pci does not want this function

 private:
  void probe() {
    const auto wanted = tree_.override_text();
    if (wanted == "(null)") return tree_.set_driver("nvme");
    if (wanted != "vfio-pci" || !vfio_probe_fails) tree_.set_driver(wanted);
  }

  Tree& tree_;
  std::vector<std::string> lines_;
};

class Driver : public testing::Test {
 protected:
  Outcome<void> bind(bool force = false) { return bind_to_vfio_by(kernel.writer(), tree.paths(), disk, force); }
  Outcome<void> unbind() { return unbind_from_vfio_by(kernel.writer(), tree.paths(), disk); }

  Tree tree;
  Kernel kernel{tree};
};

TEST_F(Driver, BindsByOverride) {
  ASSERT_TRUE(bind());
  EXPECT_EQ(tree.driver(), "vfio-pci");
  const std::string place = "bus/pci/devices/0000:01:00.0/";
  EXPECT_THAT(kernel.lines(), ElementsAre(place + "driver_override < vfio-pci", place + "driver/unbind < 0000:01:00.0",
                                          "bus/pci/drivers_probe < 0000:01:00.0"));
}

TEST_F(Driver, BindsAFunctionThatHasNoDriver) {
  tree.set_driver("");
  ASSERT_TRUE(bind());
  EXPECT_EQ(tree.driver(), "vfio-pci");
}

TEST_F(Driver, DoesNothingWhenItIsBoundAlready) {
  tree.set_driver("vfio-pci");
  ASSERT_TRUE(bind());
  EXPECT_THAT(kernel.lines(), IsEmpty());
}

TEST_F(Driver, BringsTheOldDriverBackWhenVfioDoesNotTakeIt) {
  kernel.vfio_probe_fails = true;
  const auto outcome = bind();
  EXPECT_THAT(outcome.error().text, HasSubstr("bind 0000:01:00.0 to vfio-pci: verify: the kernel gave it no driver"));
  EXPECT_EQ(tree.driver(), "nvme");
  EXPECT_EQ(tree.override_text(), "(null)");
}

class DriverBindSteps : public Driver, public testing::WithParamInterface<const char*> {};

TEST_P(DriverBindSteps, BringTheOldDriverBackWhenTheyFail) {
  const std::string step = GetParam();
  const auto outcome =
      bind_to_vfio_by(kernel.writer(), tree.paths(), disk, false, [&](std::string_view name) { return name == step; });
  EXPECT_THAT(outcome.error().text, HasSubstr(step + ": made to fail"));
  EXPECT_EQ(tree.driver(), "nvme");
  EXPECT_EQ(tree.override_text(), "(null)");
}

INSTANTIATE_TEST_SUITE_P(All, DriverBindSteps,
                         testing::Values("note the driver", "set driver_override", "unbind from nvme", "probe", "verify"));

class DriverBindWrites : public Driver, public testing::WithParamInterface<const char*> {};

TEST_P(DriverBindWrites, LeaveTheOldDriverWhenTheKernelRefusesThem) {
  kernel.refused = GetParam();
  EXPECT_FALSE(bind());
  EXPECT_EQ(tree.driver(), "nvme");
}

INSTANTIATE_TEST_SUITE_P(All, DriverBindWrites, testing::Values("driver_override", "unbind", "drivers_probe"));

TEST_F(Driver, RestoresAnOverrideThatWasThereBefore) {
  Tree::write(tree.device() / "driver_override", "nvme");
  kernel.vfio_probe_fails = true;
  EXPECT_FALSE(bind());
  EXPECT_EQ(tree.override_text(), "nvme");
}

TEST_F(Driver, SaysWhenVfioIsNotLoaded) {
  fs::remove(tree.drivers() / "vfio-pci");
  EXPECT_EQ(bind().error().code, ErrorCode::not_supported);
}

TEST_F(Driver, KnowsNoFunctionThatIsNotThere) {
  EXPECT_EQ(bind_to_vfio_by(kernel.writer(), tree.paths(), {0, 9, 0, 0}, false).error().code, ErrorCode::not_found);
  EXPECT_EQ(unbind_from_vfio_by(kernel.writer(), tree.paths(), {0, 9, 0, 0}).error().code, ErrorCode::not_found);
}

TEST_F(Driver, BindsNoBridge) {
  Tree::write(tree.device() / "class", "0x060400");
  EXPECT_EQ(bind(true).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(tree.driver(), "nvme");
}

TEST_F(Driver, UnbindsAndGivesTheFunctionToItsOwnDriver) {
  ASSERT_TRUE(bind());
  ASSERT_TRUE(unbind());
  EXPECT_EQ(tree.driver(), "nvme");
  EXPECT_EQ(tree.override_text(), "(null)");
}

class DriverOfAGroup : public Driver {
 protected:
  DriverOfAGroup() {
    fs::create_directories(tree.sys() / "kernel/iommu_groups/12");
    fs::create_symlink(tree.sys() / "kernel/iommu_groups/12", tree.device() / "iommu_group");
    tree.set_driver("vfio-pci");
  }
  Outcome<void> unbind_within(std::chrono::milliseconds patience) {
    return unbind_from_vfio_by(kernel.writer(), tree.paths(), disk, patience, [this](const fs::path& node) {
      EXPECT_EQ(node.filename(), "12");
      return busy-- > 0 ? EBUSY : 0;
    });
  }
  int busy = 0;
};

TEST_F(DriverOfAGroup, StaysWhileSomebodyHasTheGroupOpen) {
  busy = 1000;
  const auto outcome = unbind_within({});
  EXPECT_EQ(outcome.error().code, ErrorCode::busy);
  EXPECT_THAT(outcome.error().text, HasSubstr("somebody has 0000:01:00.0 open"));
  EXPECT_THAT(kernel.lines(), IsEmpty()) << "the write would not come back";
  busy = 0;
  ASSERT_TRUE(unbind_within({}));
  EXPECT_EQ(tree.driver(), "nvme");
}

TEST_F(DriverOfAGroup, GoesWhenTheGroupIsClosedInTime) {
  busy = 3;
  ASSERT_TRUE(unbind_within(std::chrono::seconds{10}));
  EXPECT_EQ(tree.driver(), "nvme");
}

TEST_F(Driver, UnbindsNothingFromAnotherDriver) {
  ASSERT_TRUE(unbind());
  EXPECT_EQ(tree.driver(), "nvme");
  EXPECT_THAT(kernel.lines(), IsEmpty());
}

TEST_F(Driver, ClearsTheOverrideOfAFunctionThatLostItsDriver) {
  ASSERT_TRUE(bind());
  tree.set_driver("");
  ASSERT_TRUE(unbind());
  EXPECT_EQ(tree.driver(), "nvme");
}

TEST_F(Driver, StaysOnVfioWhenTheUnbindFails) {
  ASSERT_TRUE(bind());
  kernel.refused = "unbind";
  EXPECT_FALSE(unbind());
  EXPECT_EQ(tree.driver(), "vfio-pci");
  EXPECT_EQ(tree.override_text(), "vfio-pci");
}

TEST(WriteSysfs, WritesTheTextOrNamesFileAndErrno) {
  std::string file = fs::temp_directory_path() / "sysfs-XXXXXX";
  const UniqueFd fd(::mkstemp(file.data()));
  ASSERT_TRUE(write_sysfs(file, "0000:01:00.0"));
  std::string text;
  std::ifstream(file) >> text;
  EXPECT_EQ(text, "0000:01:00.0");
  fs::remove(file);
  EXPECT_THAT(write_sysfs(file, "x").error().text, HasSubstr(file + ": No such file"));
}

// ---- who uses it

class Users : public Driver {
 protected:
  std::vector<std::string> users() { return users_of(tree.paths(), disk); }
  void mount(const std::string& number, const std::string& where, const std::string& type, const std::string& source) {
    Tree::write(tree.proc() / "self/mountinfo", "24 1 0:5 / /dev rw - devtmpfs udev rw\n36 35 " + number + " / " + where +
                                                    " rw,noatime shared:1 - " + type + " " + source + " rw");
  }
};

TEST_F(Users, AreNoneOfAnIdleDisk) {
  tree.add_partition(tree.add_disk("nvme0n1", "259:0"), "nvme0n1p1", "259:1");
  mount("8:1", "/", "ext4", "/dev/sda1");
  EXPECT_THAT(users(), IsEmpty());
}

TEST_F(Users, AreMountedPartitions) {
  tree.add_partition(tree.add_disk("nvme0n1", "259:0"), "nvme0n1p1", "259:1");
  mount("259:1", "/srv", "ext4", "/dev/nvme0n1p1");
  EXPECT_THAT(users(), ElementsAre("nvme0n1p1 is mounted on /srv"));
}

TEST_F(Users, AreMountedVolumesStackedUponAPartition) {
  const auto partition = tree.add_partition(tree.add_disk("nvme0n1", "259:0"), "nvme0n1p1", "259:1");
  const auto raid = tree.add_virtual_disk("md0", "9:0", partition);
  tree.add_virtual_disk("dm-0", "254:0", raid);
  mount("254:0", "/", "xfs", "/dev/mapper/root");
  EXPECT_THAT(users(), ElementsAre("dm-0 is mounted on /", "nvme0n1p1 is part of md0", "md0 is part of dm-0"));
}

TEST_F(Users, AreMountedPartitionsOfAStackedDisk) {
  const auto raid = tree.add_virtual_disk("md0", "9:0", tree.add_disk("nvme0n1", "259:0"));
  tree.add_partition(raid, "md0p1", "259:7");
  mount("259:7", "/srv", "ext4", "/dev/md0p1");
  EXPECT_THAT(users(), Contains("md0p1 is mounted on /srv"));
}

TEST_F(Users, AreBtrfsWhichMountsUnderNumbersOfItsOwn) {
  tree.add_disk("nvme0n1", "259:0");
  mount("0:44", "/", "btrfs", "/dev/nvme0n1");
  EXPECT_THAT(users(), ElementsAre("nvme0n1 is mounted on /"));
}

TEST_F(Users, AreSecondMembersOfABtrfs) {
  const auto place = tree.add_disk("nvme0n1", "259:0");
  mount("0:44", "/", "btrfs", "/dev/sda");
  fs::create_directories(tree.sys() / "fs/btrfs/c0ffee/devices");
  fs::create_directory_symlink(place, tree.sys() / "fs/btrfs/c0ffee/devices/nvme0n1");
  EXPECT_THAT(users(), ElementsAre("nvme0n1 is part of a mounted btrfs"));
}

TEST_F(Users, AreSwaps) {
  tree.add_disk("nvme0n1", "259:0");
  Tree::write(tree.proc() / "swaps", "Filename Type Size Used Priority\n/dev/nvme0n1 partition 1048572 0 -2");
  EXPECT_THAT(users(), ElementsAre("nvme0n1 is swap"));
}

TEST_F(Users, AreDisksOfAnNvmeSubsystemWithSeveralPaths) {
  const auto subsystem = tree.sys() / "devices/virtual/nvme-subsystem/nvme-subsys0";
  fs::create_directories(subsystem);
  fs::create_directories(tree.device() / "nvme/nvme0");
  fs::create_directory_symlink(tree.device() / "nvme/nvme0", subsystem / "nvme0");
  fs::create_directories(tree.sys() / "class/nvme-subsystem");
  fs::create_directory_symlink(subsystem, tree.sys() / "class/nvme-subsystem/nvme-subsys0");
  Tree::write(tree.add("block", subsystem / "nvme0n1") / "dev", "259:0");
  mount("259:0", "/", "ext4", "/dev/nvme0n1");
  EXPECT_THAT(users(), ElementsAre("nvme0n1 is mounted on /"));
}

TEST_F(Users, AreInterfacesThatAreUp) {
  const auto interface = tree.add("net", tree.device() / "net/eth0");
  Tree::write(interface / "flags", "0x1002");
  EXPECT_THAT(users(), IsEmpty());
  Tree::write(interface / "flags", "0x1003");
  EXPECT_THAT(users(), ElementsAre("interface eth0 is up"));
}

TEST_F(Users, AreNotInterfacesOfANeighbourWithALongerName) {
  Tree::write(tree.add("net", tree.device().string() + "0/net/eth0") / "flags", "0x1003");
  EXPECT_THAT(users(), IsEmpty());
}

TEST_F(Users, AreTheBootVgaAndVirtualFunctions) {
  Tree::write(tree.device() / "boot_vga", "1");
  Tree::write(tree.device() / "sriov_numvfs", "4");
  EXPECT_THAT(users(), ElementsAre("it is the boot VGA", "it has 4 virtual functions"));
  Tree::write(tree.device() / "boot_vga", "0");
  Tree::write(tree.device() / "sriov_numvfs", "0");
  EXPECT_THAT(users(), IsEmpty());
}

TEST_F(Users, KeepTheirDriverUnlessForced) {
  Tree::write(tree.add("net", tree.device() / "net/eth0") / "flags", "0x1003");
  const auto outcome = bind();
  EXPECT_EQ(outcome.error(), (Reason{ErrorCode::busy, "0000:01:00.0 is in use: interface eth0 is up"}));
  EXPECT_EQ(tree.driver(), "nvme");
  ASSERT_TRUE(bind(true));
  EXPECT_EQ(tree.driver(), "vfio-pci");
}

}  // namespace
}  // namespace p2pd
