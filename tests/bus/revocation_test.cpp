// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Taking grants back: refused while they are in use, or in two phases: notice, then the unmap.
#include "harness/scene.h"

namespace p2pd::test {
namespace {

constexpr std::uint32_t long_grace = 600000;  // nobody waits for it
constexpr std::size_t longest_notice = 1024;

class Revocation : public Scene {
 protected:
  void SetUp() override {
    set_up_the_usual_pair();
    held = acquire(alice, initiator);
    mapping = alice.map(held.path, target_bar).granted()[0].text();
  }
  void expect_notice(const Value::Dict& expected) {
    const auto notice = held.lease.next();
    ASSERT_TRUE(notice) << "the lease has ended";
    EXPECT_EQ(notice->body, expected);
    EXPECT_LE(notice->length, longest_notice);
    EXPECT_LT(notice->fd.get(), 0);
  }
  Client::Call disable_call(const Options& options) {
    return {.path = root.device(peer),
            .method = "org.p2pd1.Device.Disable",
            .arguments = {2U, std::uint64_t{0}, std::uint64_t{0}, options}};
  }

  Held held;
  std::string mapping;
};

TEST_F(Revocation, IsNeededToDisableWhatIsInUse) {
  const auto answer = root.disable(target_bar);
  EXPECT_EQ(answer.error, "Busy");
  const auto name = mapping.substr(std::string("/org/p2pd1/").size());
  EXPECT_NE(answer.text.find(name), std::string::npos) << "the holders are named: " << answer;
  EXPECT_TRUE(root.grants().contains(mapping));
  EXPECT_TRUE(held.lease.is_quiet());
}

TEST_F(Revocation, IsWhatForceDoes) {
  EXPECT_EQ(root.disable(target_bar, {{"force", true}}).error, "");
  expect_notice({{"event", "revoked"}, {"grant", mapping}, {"reason", "disabled"}});
  EXPECT_EQ(bob.expect_signal(mapping, "org.p2pd1.Mapping.Revoked").body, (Value::List{"disabled"}));
  bob.expect_removed(mapping);
  EXPECT_EQ(root.grants(), std::set<std::string>{held.path}) << "the holding stays";
  EXPECT_TRUE(daemon->address_spaces().at(initiator).empty());
  EXPECT_FALSE(daemon->address_spaces().contains(peer)) << "the target is closed";
  EXPECT_EQ(alice.map(held.path, target_bar).error, "NotEnabled");
}

TEST_F(Revocation, ComesBeforeAnUnbindByForce) {
  tree.write("sys/bus/pci/drivers/vfio-pci/unbind", "");
  ASSERT_EQ(root.unbind(initiator).error, "Busy");
  EXPECT_TRUE(held.lease.is_quiet());

  const auto ticket =
      root.start({.path = root.device(initiator), .method = "org.p2pd1.Device.Unbind", .arguments = {Options{{"force", true}}}});
  root.flush();
  expect_notice({{"event", "revoking"}, {"grant", held.path}, {"reason", "device-wanted"}, {"deadline_ms", 2000}});
  held.device.reset();
  EXPECT_EQ(root.finish(ticket).error, "");
  expect_notice({{"event", "revoked"}, {"grant", held.path}, {"reason", "device-wanted"}});
  EXPECT_TRUE(root.grants().empty());
  EXPECT_FALSE(daemon->address_spaces().contains(initiator)) << "it is closed";
  const Lease lease;
  EXPECT_EQ(alice.acquire(initiator, lease).error, "NotOffered");
}

TEST_F(Revocation, ComesBeforeAReset) {
  ASSERT_EQ(root.reset(peer).error, "Busy");
  EXPECT_TRUE(held.lease.is_quiet());
  EXPECT_FALSE(daemon->address_spaces().at(initiator).empty());

  // The fake ends the program when a function is reset that still maps.
  EXPECT_EQ(root.reset(peer, {{"force", true}}).error, "");
  expect_notice({{"event", "revoked"}, {"grant", mapping}, {"reason", "device-reset"}});
  EXPECT_TRUE(daemon->address_spaces().at(initiator).empty());
  EXPECT_TRUE(daemon->address_spaces().contains(peer)) << "it is a target still";
  EXPECT_EQ(alice.map(held.path, target_bar).error, "");
}

TEST_F(Revocation, GivesNoticeAndWaitsForTheClientToLetGo) {
  const auto ticket = root.start(disable_call({{"force", true}, {"grace_ms", long_grace}}));
  root.flush();
  expect_notice({{"event", "revoking"}, {"grant", mapping}, {"reason", "disabled"}, {"deadline_ms", long_grace}});
  const auto signal = bob.expect_signal(mapping, "org.p2pd1.Mapping.Revoking");
  EXPECT_EQ(signal.body[0], "disabled");
  EXPECT_GT(signal.body[1].number(), 0U);
  EXPECT_EQ(bob.expect_changed(mapping, "State"), "revoking");
  EXPECT_FALSE(daemon->address_spaces().at(initiator).empty()) << "still mapped";
  EXPECT_FALSE(ticket->has_value());

  EXPECT_EQ(alice.release(mapping).error, "");
  EXPECT_EQ(root.finish(ticket).error, "");
  EXPECT_TRUE(daemon->address_spaces().at(initiator).empty());
}

TEST_F(Revocation, DoesNotWaitBeyondTheDeadline) {
  EXPECT_EQ(root.call(disable_call({{"force", true}, {"grace_ms", 50U}})).error, "");
  expect_notice({{"event", "revoking"}, {"grant", mapping}, {"reason", "disabled"}, {"deadline_ms", 50}});
  expect_notice({{"event", "revoked"}, {"grant", mapping}, {"reason", "disabled"}});
  (void)bob.expect_signal(mapping, "org.p2pd1.Mapping.Revoking");
  (void)bob.expect_signal(mapping, "org.p2pd1.Mapping.Revoked");
  bob.expect_removed(mapping);
}

TEST_F(Revocation, OfAHoldingTakesAllOfIt) {
  EXPECT_EQ(root.revoke(held.path, "maintenance").error, "");
  expect_notice({{"event", "revoked"}, {"grant", held.path}, {"reason", "operator"}});
  held.lease.wait_for_end();
  EXPECT_EQ(bob.expect_signal(held.path, "org.p2pd1.Holding.Revoked").body, (Value::List{"operator"}));
  EXPECT_EQ(root.grants(), std::set<std::string>{});
  EXPECT_FALSE(daemon->address_spaces().contains(initiator));
  EXPECT_NE(daemon->log().find("maintenance"), std::string::npos) << "the reason is in the journal";
}

TEST_F(Revocation, MayBeGrantedToSomebodyElse) {
  EXPECT_EQ(bob.revoke(mapping, "mine").error, "NotPermitted");
  polkit.allow("revoke", bob_uid);
  EXPECT_EQ(bob.revoke(mapping, "mine").error, "");
  expect_notice({{"event", "revoked"}, {"grant", mapping}, {"reason", "operator"}});
}

TEST_F(Revocation, ComesOverTheLeaseOfTheMappingIfItHasOne) {
  (void)alice.release(mapping).granted();
  Lease own;
  mapping = alice.map(held.path, target_bar, {{"lease", own.theirs()}}).granted()[0].text();
  own.close_theirs();
  EXPECT_EQ(root.revoke(mapping, "why").error, "");
  const auto notice = own.next();
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->body["event"], "revoked");
  own.wait_for_end();
  EXPECT_TRUE(held.lease.is_quiet());
}

TEST_F(Revocation, IsNeededToWithdrawWhatIsLent) {
  EXPECT_EQ(root.withdraw(initiator).error, "Busy");
  held.device.reset();
  EXPECT_EQ(root.withdraw(initiator, {{"force", true}}).error, "");
  held.lease.wait_for_end();
  EXPECT_EQ(root.grants(), std::set<std::string>{});
}

TEST_F(Revocation, IsWhatHappensWhenTheTargetGoes) {
  const auto device = root.device(peer);
  tree.remove(*Address::parse(peer));
  EXPECT_EQ(root.call({.path = "/org/p2pd1", .method = "org.p2pd1.Manager.Reload", .arguments = {}}).error, "");
  expect_notice({{"event", "revoked"}, {"grant", mapping}, {"reason", "device-gone"}});
  bob.expect_removed(mapping);
  bob.expect_removed(device);
  EXPECT_EQ(root.grants(), std::set<std::string>{held.path});
}

TEST_F(Revocation, IsWhatHappensWhenTheInitiatorGoes) {
  tree.remove(*Address::parse(initiator));
  EXPECT_EQ(root.call({.path = "/org/p2pd1", .method = "org.p2pd1.Manager.Reload", .arguments = {}}).error, "");
  expect_notice({{"event", "revoked"}, {"grant", held.path}, {"reason", "device-gone"}});
  held.lease.wait_for_end();
  bob.expect_removed(held.path);
}

}  // namespace
}  // namespace p2pd::test
