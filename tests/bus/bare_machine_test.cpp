// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Machines on which nothing can work yet: p2p-client says what is missing, and what to do next.
#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "built_programs.h"
#include "harness/scene.h"

namespace p2pd::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class BareMachine : public Scene {
 protected:
  BareMachine() { std::filesystem::permissions(directory.path(), std::filesystem::perms(0755)); }

  int run(uid_t uid, std::vector<std::string> words) {
    const auto output = directory.path() / "p2p-client.out";
    std::filesystem::remove(output);
    words.insert(words.begin(), {"/usr/bin/setpriv", "--reuid", std::to_string(uid), "--clear-groups", P2P_CLIENT, "--bus",
                                 bus.address(), "--no-ask-password"});
    const auto status = ChildProcess({.arguments = words, .environment = {{"PATH", "/usr/bin:/bin"}}, .log = output}).wait();
    printed = read_file(output);
    return status;
  }

  // Another life of p2pd, for it looks at the host once.
  void start_again() {
    daemon.reset();
    std::filesystem::create_directory(directory.path() / "second-life");
    daemon = std::make_unique<DaemonProcess>(DaemonProcess::Settings{.bus = bus.address(),
                                                                     .directory = directory.path() / "second-life",
                                                                     .sysfs_root = tree.sysfs(),
                                                                     .proc_root = tree.top() / "proc",
                                                                     .configuration = ""});
  }

  std::vector<std::string> codes_of_check() {
    (void)run(alice_uid, {"check", "--json", initiator, target_bar});
    const auto verdict = json::parse(printed);
    std::vector<std::string> codes;
    for (const auto& blocker : verdict.at("blockers")) codes.push_back(blocker.at("code"));
    return codes;
  }

  std::string printed;
};

TEST_F(BareMachine, WithoutIommuAndVfioItSaysWhatToDo) {
  EXPECT_EQ(run(alice_uid, {"version"}), 0) << printed;
  EXPECT_THAT(printed, testing::Not(HasSubstr("iommu-off")));
  EXPECT_THAT(codes_of_check(), testing::Not(testing::Contains("iommu-off")));

  std::filesystem::remove_all(tree.sysfs() / "class/iommu");
  std::filesystem::remove_all(tree.top() / "dev/vfio");
  start_again();
  EXPECT_EQ(run(alice_uid, {"version"}), 0) << printed;
  EXPECT_THAT(printed, AllOf(HasSubstr("iommu-off"), HasSubstr("firmware setup: IOMMU (AMD-Vi) on"), HasSubstr("vfio-missing"),
                             HasSubstr("modprobe vfio-pci")));
  EXPECT_THAT(codes_of_check(), AllOf(testing::Contains("iommu-off"), testing::Contains("vfio-missing")));
  EXPECT_EQ(run(alice_uid, {"check", initiator, target_bar}), 1);
  EXPECT_THAT(printed, AllOf(HasSubstr("iommu-off"), HasSubstr("modprobe vfio-pci")));
  EXPECT_EQ(run(alice_uid, {"list"}), 0) << "what is there can be shown all the same: " << printed;
}

TEST_F(BareMachine, WithoutPolkitOnlyRootMayAndItSaysSo) {
  polkit.allow("enable-target", alice_uid);
  ASSERT_EQ(run(alice_uid, {"enable", target_bar}), 0) << printed;
  ASSERT_EQ(run(alice_uid, {"disable", target_bar}), 0) << printed;

  polkit.die();
  EXPECT_EQ(run(alice_uid, {"enable", target_bar}), 3);
  EXPECT_THAT(printed, AllOf(HasSubstr("org.p2pd1.enable-target"), HasSubstr("polkit"), HasSubstr("hint: "),
                             HasSubstr("without polkit only root, e.g. with sudo")));
  EXPECT_EQ(run(alice_uid, {"check", initiator, target_bar}), 1) << "reading is free: " << printed;
  EXPECT_EQ(run(0, {"enable", target_bar}), 0) << printed;
}

}  // namespace
}  // namespace p2pd::test
