// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A grant lives as long as a copy of the client's end of its lease does, whoever has it, and not a moment longer.
#include <sys/socket.h>
#include <unistd.h>

#include "harness/scene.h"

namespace p2pd::test {
namespace {

void wait_for_ever() {
  for (;;) ::pause();
}

class Leases : public Scene {
 protected:
  void SetUp() override {
    set_up_the_usual_pair();
    held = acquire(alice, initiator);
  }
  [[nodiscard]] bool is_mapped() { return !daemon->address_spaces().at(initiator).empty(); }

  Held held;
};

TEST_F(Leases, EndTheHoldingWhenTheClientClosesItsEnd) {
  (void)alice.map(held.path, target_bar).granted();
  ASSERT_TRUE(root.grants().contains(held.path));
  held.lease.close();
  root.expect_removed(held.path);
  EXPECT_FALSE(daemon->address_spaces().contains(initiator));
  EXPECT_EQ(root.grants(), std::set<std::string>{}) << "the mapping went with it";
}

TEST_F(Leases, LiveOnInAChildAndEndWhenItIsKilled) {
  (void)alice.map(held.path, target_bar).granted();
  ChildProcess child(held.lease.ours(), wait_for_ever);
  held.lease.close();
  held.device.reset();
  alice.vanish();
  root.ping();
  EXPECT_TRUE(root.grants().contains(held.path));
  EXPECT_TRUE(is_mapped());

  EXPECT_EQ(child.kill(), -9);
  root.expect_removed(held.path);
  EXPECT_FALSE(daemon->address_spaces().contains(initiator));
}

TEST_F(Leases, EndWhenAnyCopyIsShutDown) {
  const ChildProcess child(held.lease.ours(), wait_for_ever);
  root.ping();
  ASSERT_TRUE(root.grants().contains(held.path));
  held.lease.shut_down();
  root.expect_removed(held.path);
}

TEST_F(Leases, SurviveTheConnectionToTheBus) {
  alice.vanish();
  root.ping();
  EXPECT_TRUE(root.grants().contains(held.path));
  Client again(bus, alice_uid);
  EXPECT_EQ(again.map(held.path, target_bar).error, "");
}

TEST_F(Leases, AreEndedByP2pdForEveryCopy) {
  const ChildProcess child(held.lease.ours(), wait_for_ever);
  EXPECT_TRUE(held.lease.is_quiet());
  (void)alice.release(held.path).granted();
  held.lease.wait_for_end();
}

TEST_F(Leases, TakeNothingFromTheClient) {
  // Whatever a client could queue in its lease could hold the lease: p2pd has shut its reading end.
  EXPECT_EQ(::send(held.lease.ours(), "x", 1, MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, EPIPE);
}

TEST_F(Leases, OfOneMappingEndThatMappingOnly) {
  Lease of_mapping;
  const auto mapping = alice.map(held.path, target_bar, {{"lease", of_mapping.theirs()}}).granted()[0].text();
  of_mapping.close_theirs();
  EXPECT_EQ(root.properties(mapping)["OwnLease"], true);
  ASSERT_TRUE(is_mapped());

  of_mapping.close();
  root.expect_removed(mapping);
  EXPECT_FALSE(is_mapped());
  EXPECT_EQ(root.grants(), std::set<std::string>{held.path});
  EXPECT_TRUE(held.lease.is_quiet());
}

TEST_F(Leases, OfMappingsEndWithTheHolding) {
  Lease of_memory;
  const auto memory = sealed_memory(0x1000);
  (void)alice.map_memory(held.path, memory.get(), 0, 0x1000, {{"lease", of_memory.theirs()}}).granted();
  of_memory.close_theirs();
  EXPECT_TRUE(of_memory.is_quiet());
  held.lease.close();
  of_memory.wait_for_end();
  root.expect_removed(held.path);
  EXPECT_EQ(root.grants(), std::set<std::string>{});
}

TEST_F(Leases, DoNotEndForACopyOfOurOwnEnd) {
  // The client keeps a copy of the end that it gave away: that holds nothing.
  Lease lease;
  (void)root.offer(other_initiator).granted();
  const auto path = alice.acquire(other_initiator, lease).granted()[0].text();
  ASSERT_TRUE(root.grants().contains(path));
  lease.close();
  root.expect_removed(path);
}

TEST_F(Leases, ThatEndedLeaveAFunctionThatSomebodyStillHasOpenToNobody) {
  (void)alice.release(held.path).granted();
  Lease lease;
  EXPECT_EQ(bob.acquire(initiator, lease).error, "Busy") << "alice kept the device";
  held.device.reset();
  (void)acquire(bob, initiator);
}

}  // namespace
}  // namespace p2pd::test
