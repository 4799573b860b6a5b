// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The main job from end to end: an operator sets up a pair, an unprivileged client gets a device, memory and the peer.
#include "harness/scene.h"

namespace p2pd::test {
namespace {

class MainJob : public Scene {};

TEST_F(MainJob, GivesAnUnprivilegedClientADeviceItsMemoryAndThePeer) {
  let_clients_work();
  EXPECT_EQ(alice.check(initiator, target_bar).granted()[0], "no");
  EXPECT_EQ(root.enable(target_bar).granted(), Value::List{});
  EXPECT_EQ(root.offer(initiator).granted(), Value::List{});
  EXPECT_EQ(alice.check(initiator, target_bar).granted()[0], "yes");

  Lease lease;
  const auto granted = alice.acquire(initiator, lease).granted();
  const auto holding = granted[0].text();
  EXPECT_EQ(granted[1], (Value::Dict{{"backend", "vfio-type1"}}));
  const auto notice = lease.next();
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->body, (Value::Dict{{"event", "fds"}, {"grant", holding}}));
  EXPECT_GE(notice->fd.get(), 0) << "the device came over the lease";

  const auto memory = sealed_memory(0x4000);
  const auto own = alice.map_memory(holding, memory.get(), 0x1000, 0x2000).granted();
  const auto theirs = alice.map(holding, target_bar).granted();
  EXPECT_EQ(theirs[2], target_length);
  EXPECT_EQ(daemon->address_spaces().at(initiator).size(), 2U);

  EXPECT_EQ(alice.release(theirs[0].text()).granted(), Value::List{});
  EXPECT_EQ(daemon->address_spaces().at(initiator).size(), 1U);
  EXPECT_EQ(alice.release(holding).granted(), Value::List{});
  EXPECT_FALSE(daemon->address_spaces().contains(initiator));
  lease.wait_for_end();
  EXPECT_EQ(root.grants(), std::set<std::string>{}) << "the memory's mapping went with its holding";
}

}  // namespace
}  // namespace p2pd::test
