// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Platform files and descriptions, as p2pd takes them up: at the start, on reload, broken.
#include <gmock/gmock.h>

#include <filesystem>

#include "harness/scene.h"
#include "platform/peers.h"
#include "sources/source.h"

namespace p2pd::test {
namespace {

using testing::HasSubstr;

class Platform : public Scene {
 protected:
  using Scene::Scene;

  void reload() { EXPECT_EQ(root.call({.path = "/org/p2pd1", .method = "org.p2pd1.Manager.Reload", .arguments = {}}).error, ""); }
  std::string problems() { return alice.properties("/org/p2pd1")["Problems"].dump(); }
  void write_own(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(directory.path() / "platform.d");
    write_file(directory.path() / "platform.d" / name, text);
  }
};

TEST_F(Platform, NamesABrokenFileAndGoesOnWithTheOthers) {
  EXPECT_THAT(problems(), testing::Not(HasSubstr("own.toml")));
  write_own("own.toml", "[[initiator]]\naddres_bits = 32\n");
  reload();
  EXPECT_THAT(problems(), HasSubstr("own.toml:"));
  EXPECT_THAT(daemon->log(), HasSubstr("own.toml:"));
  set_up_the_usual_pair();
  EXPECT_EQ(alice.check(initiator, target_bar).granted()[1]["route"], "root-complex") << "AMD's entry counts all the same";
  std::filesystem::remove(directory.path() / "platform.d/own.toml");
  reload();
  EXPECT_THAT(problems(), testing::Not(HasSubstr("own.toml")));
}

class Guest : public Platform {
 protected:
  Guest() : Platform("[platform]\nvirtualization = \"kvm\"\n") {}

  // Both ways.
  static std::string described(const Machine& machine, Reach reach) {
    PeersTable table{
        .source = "",
        .peers = {Peer::of(*machine.find(*Address::parse(initiator))), Peer::of(*machine.find(*Address::parse(peer)))},
        .reach = {{}, reach, reach, {}}};
    return write_peers(table);
  }
};

TEST_F(Guest, IsJudgedByWhatTheOperatorDescribes) {
  const auto verdict = [&] { return alice.check(initiator, target_bar).granted()[1]; };
  EXPECT_EQ(verdict()["possible"], "unknown");
  const auto machine = read_live_machine({.sysfs_root = tree.sysfs(), .proc_root = tree.top() / "proc"});
  ASSERT_TRUE(machine);
  write_file(directory.path() / "peers.toml", described(*machine, {Tristate::yes, Tristate::yes}));
  const auto generation = alice.properties("/org/p2pd1")["Generation"].number();
  reload();
  EXPECT_GT(alice.properties("/org/p2pd1")["Generation"].number(), generation) << "who keeps verdicts must ask again";
  EXPECT_EQ(verdict()["possible"], "yes");
  EXPECT_EQ(verdict()["route"], "described");
  EXPECT_EQ(verdict()["evidence"], "described");

  write_file(directory.path() / "peers.toml", "broken");
  reload();
  EXPECT_THAT(problems(), HasSubstr("peers.toml:1:"));
  EXPECT_EQ(verdict()["possible"], "yes") << "what it said before counts";
  std::filesystem::remove(directory.path() / "peers.toml");
  reload();
  EXPECT_EQ(verdict()["possible"], "unknown");
}

}  // namespace
}  // namespace p2pd::test
