// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Initiators that must go, lent to programs of their own: who closes the device in time lives on, who does not is killed, and
// whoever else has a copy is named.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <sstream>

#include "built_programs.h"
#include "harness/scene.h"

namespace p2pd::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class GivingWay : public Scene {
 protected:
  void SetUp() override {
    ::chmod(directory.path().c_str(), 0755);
    set_up_the_usual_pair();
    (void)root.offer(other_initiator).granted();
    tree.write("sys/bus/pci/drivers/vfio-pci/unbind", "");
  }
  // alice's program, with the device lent to it under $P2P_DEVICE_FD.
  std::unique_ptr<ChildProcess> hold(const std::string& script) {
    auto program = std::make_unique<ChildProcess>(ChildProcess::Program{
        .arguments = {"/usr/bin/setpriv", "--reuid", std::to_string(alice_uid), "--clear-groups", P2P_CLIENT, "--bus",
                      bus.address(), "hold", initiator, target_bar, "--", "bash", "-c", "echo ready >&2; " + script},
        .environment = {{"PATH", "/usr/bin:/bin"}},
        .log = output()});
    eventually("the program runs", [&] { return read_file(output()).find("ready") != std::string::npos; });
    return program;
  }
  [[nodiscard]] std::filesystem::path output() const { return directory.path() / "program.out"; }
};

TEST_F(GivingWay, KillsTheOwnerThatDoesNotCloseTheDevice) {
  const auto program = hold("exec sleep 1000");
  auto bystander = acquire(bob, other_initiator);
  EXPECT_EQ(root.unbind(initiator, {{"force", true}}).error, "");
  EXPECT_EQ(program->wait(), -9);
  EXPECT_EQ(root.grants(), std::set<std::string>{bystander.path});
  EXPECT_TRUE(bystander.lease.is_quiet());
  EXPECT_FALSE(daemon->address_spaces().contains(initiator));
  EXPECT_THAT(daemon->log(), HasSubstr("killed holding/"));
}

TEST_F(GivingWay, IsPartOfAWithdrawalByForce) {
  const auto program = hold("exec sleep 1000");
  EXPECT_EQ(root.withdraw(initiator, {{"force", true}}).error, "");
  EXPECT_EQ(program->wait(), -9);
}

TEST_F(GivingWay, KillsNobodyWhoClosesTheDeviceInTime) {
  const auto program = hold("sleep 0.3; eval \"exec $P2P_DEVICE_FD>&-\"; exec sleep 1000");
  EXPECT_EQ(root.unbind(initiator, {{"force", true}}).error, "");
  EXPECT_TRUE(program->is_running());
  EXPECT_THAT(daemon->log(), Not(HasSubstr("killed holding/")));
  EXPECT_TRUE(root.grants().empty());
}

TEST_F(GivingWay, NamesWhoHasACopy) {
  const auto program = hold("sleep 1000 & echo $! >&2; exec sleep 1000");
  const auto refused = root.unbind(initiator, {{"force", true}});
  EXPECT_EQ(refused.error, "Busy");
  EXPECT_EQ(program->wait(), -9) << "the owner";
  auto words = std::istringstream(read_file(output()).substr(std::string("ready\n").size()));
  pid_t copy = 0;
  ASSERT_TRUE(words >> copy);
  EXPECT_THAT(refused.text, HasSubstr("pid " + std::to_string(copy) + " (sleep), uid " + std::to_string(alice_uid)));
  EXPECT_THAT(daemon->log(), HasSubstr("pid " + std::to_string(copy)));
  EXPECT_EQ(::kill(copy, 0), 0) << "it is named, not killed";
  ::kill(copy, SIGKILL);
}

// The driver's link goes from sysfs first, and nothing is told by udev until the last close.
TEST_F(GivingWay, BeginsWhenSomebodyWaitsForTheFunction) {
  auto held = acquire(alice, initiator);
  std::filesystem::remove(tree.device(*Address::parse(initiator)) / "driver");
  const auto notice = held.lease.next();
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->body["event"], "revoking");
  EXPECT_EQ(notice->body["reason"], "device-wanted");
  EXPECT_EQ(notice->body["deadline_ms"], 2000);
  held.device.reset();
  held.lease.close();
  bob.expect_removed(held.path);
  EXPECT_FALSE(daemon->address_spaces().contains(initiator));
}

}  // namespace
}  // namespace p2pd::test
