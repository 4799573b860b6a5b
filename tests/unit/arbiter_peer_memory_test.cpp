// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory that a kernel driver registered: nothing takes it back but the end of that driver's binding.
#include "arbiter_scene.h"

namespace p2pd::test {

namespace {

constexpr auto disk = "0000:06:00.0";
constexpr auto pool_name = "0000:06:00.0:2";
constexpr std::uint64_t pool_size = 1_MiB;

// The driver's memory as it was registered for the `pool`th time; 0 = not bound.
MachineBuilder with_disk(std::uint64_t pool, const std::string& driver = "nvme") {
  auto machine = redirecting_switch();
  return machine.with(
      a_root_port("0000:00:03.0").with(an_endpoint(disk).with(big_bar(2, 2_MiB), bar(0, 16_KiB), [=](Function& function) {
        function.driver = pool == 0 ? "" : driver;
        if (pool != 0) function.peer_memory = PeerMemory{.size = Bytes{pool_size}, .is_published = true, .pool = pool};
      })));
}

struct PoolDesk : Desk {
  explicit PoolDesk(std::map<Address, LentPool> lent_pools = {}) : Desk(with_disk(1), {}, std::move(lent_pools)) {
    EXPECT_TRUE(answer(enable(pool_name)));
  }
  MappingId lend(uid_t uid = alice) {
    const auto request = allocate(caller(uid), pool_name, 64_KiB);
    kernel_works();
    return exported(request);
  }
};

TEST(ArbiterPeerMemory, IsEnabledWithoutOpeningAnything) {
  const PoolDesk desk;
  EXPECT_TRUE(desk.kernel.empty());
  EXPECT_EQ(desk.state().targets.at(target("0000:06:00.0:2:0x0+0x200000")).phase, Target::Phase::enabled);
}

TEST(ArbiterPeerMemory, IsEnabledWholeAndForOneAtATime) {
  Desk desk(with_disk(1));
  EXPECT_EQ(desk.error(desk.enable("0000:06:00.0:2:0x0+0x1000")), ErrorCode::invalid_argument);
  EXPECT_EQ(desk.error(desk.enable("0000:06:00.0:0")), ErrorCode::invalid_argument) << "too small for it";
  EXPECT_EQ(desk.error(desk.enable(pool_name, false)), ErrorCode::not_supported);
  EXPECT_EQ(desk.error(desk.enable(pool_name, true, Access::read)), ErrorCode::not_supported);
  EXPECT_TRUE(desk.answer(desk.enable(pool_name)));
  EXPECT_TRUE(desk.answer(desk.enable(pool_name))) << "the same once more";
}

TEST(ArbiterPeerMemory, IsWhatTheDriverRegisteredAndTheKernelLends) {
  Desk without(with_disk(0));
  EXPECT_EQ(without.error(without.enable(pool_name)), ErrorCode::blocked);
  const auto old_kernel =
      redirecting_switch().with(a_root_port("0000:00:03.0").with(an_endpoint(disk).with(big_bar(2, 2_MiB), [](Function& changed) {
        changed.driver = "nvme";
        changed.peer_memory = PeerMemory{.size = Bytes{pool_size}, .is_published = true, .pool = std::nullopt};
      })));
  Desk old(old_kernel);
  EXPECT_EQ(old.error(old.enable(pool_name)), ErrorCode::not_supported);
}

TEST(ArbiterPeerMemory, IsLentOnlyWhenEnabled) {
  Desk desk(with_disk(1));
  EXPECT_EQ(desk.error(desk.allocate(caller(alice), pool_name, 4_KiB)), ErrorCode::not_enabled);
  desk.enable(pool_name);
  const auto request = desk.allocate(caller(alice), pool_name, 4_KiB);
  ASSERT_EQ(desk.waiting<LendPeerMemory>(), 1U);
  const auto& effect = std::get<LendPeerMemory>(desk.kernel.front());
  EXPECT_EQ(effect.device, at(disk));
  EXPECT_EQ(effect.pool, 1U);
  EXPECT_EQ(effect.length, Bytes{4_KiB});
  EXPECT_EQ(effect.uid, alice);
  desk.kernel_works();
  const auto& mapping = desk.state().mappings.at(desk.exported(request));
  EXPECT_FALSE(mapping.holding);
  EXPECT_EQ(mapping.phase, GrantPhase::active);
  EXPECT_EQ(mapping.owner.uid, alice);
}

TEST(ArbiterPeerMemory, IsNoMoreThanTheDriverRegistered) {
  PoolDesk desk;
  EXPECT_EQ(desk.error(desk.allocate(caller(alice), pool_name, pool_size + 4_KiB)), ErrorCode::invalid_argument);
  EXPECT_EQ(desk.error(desk.allocate(caller(alice), pool_name, std::uint64_t{1} << 63)), ErrorCode::invalid_argument);
  EXPECT_EQ(desk.error(desk.allocate(caller(alice), "0000:06:00.0:2:0x0+0x1000", 4_KiB)), ErrorCode::invalid_argument);
  desk.allocate(caller(alice), pool_name, pool_size);
  EXPECT_EQ(desk.waiting<LendPeerMemory>(), 1U);
}

TEST(ArbiterPeerMemory, IsNotWhatVfioHas) {
  ReadyDesk desk(with_disk(1));
  EXPECT_EQ(desk.error(desk.allocate(caller(alice), peer_name, 4_KiB)), ErrorCode::not_supported);
  desk.enable(pool_name);
  const auto holding = desk.hold();
  EXPECT_EQ(desk.error(desk.map(caller(alice), holding, pool_name)), ErrorCode::not_supported);
  EXPECT_EQ(desk.error(desk.export_dma_buf(caller(alice), pool_name)), ErrorCode::not_supported);
}

TEST(ArbiterPeerMemory, IsForOneAtATime) {
  PoolDesk desk;
  const auto first = desk.allocate(caller(alice), pool_name, 4_KiB);
  EXPECT_EQ(desk.error(desk.allocate(caller(alice), pool_name, 4_KiB)), ErrorCode::busy) << "while it is being lent";
  desk.kernel_works();
  EXPECT_EQ(desk.error(desk.allocate(caller(alice), pool_name, 4_KiB)), ErrorCode::busy);
  desk.release(caller(alice), desk.exported(first));
  desk.kernel_works();
  EXPECT_TRUE(desk.state().mappings.empty());
  EXPECT_NO_THROW(desk.lend());
}

TEST(ArbiterPeerMemory, GoesToNoOtherUserUntilItsDriverWasUnbound) {
  PoolDesk desk;
  desk.release(caller(alice), desk.lend());
  desk.kernel_works();
  EXPECT_EQ(desk.error(desk.allocate(caller(bob), pool_name, 4_KiB)), ErrorCode::busy);
  EXPECT_EQ(desk.error(desk.allocate(caller(0), pool_name, 4_KiB)), ErrorCode::busy) << "nor to root";
  EXPECT_NE(desk.answer(desk.allocate(caller(bob), pool_name, 4_KiB)).error().text.find("unbind driver nvme"), std::string::npos);
  desk.release(caller(alice), desk.lend());
  desk.kernel_works();

  desk.disable(pool_name);
  desk.enable(pool_name);
  EXPECT_EQ(desk.error(desk.allocate(caller(bob), pool_name, 4_KiB)), ErrorCode::busy) << "an operator's word changes nothing";

  desk.becomes(with_disk(2));
  EXPECT_TRUE(desk.state().targets.empty());
  desk.enable(pool_name);
  EXPECT_NO_THROW(desk.lend(bob));
}

TEST(ArbiterPeerMemory, RemembersWhomEarlierLivesLentItTo) {
  PoolDesk desk({{at(disk), LentPool{1, alice}}});
  EXPECT_EQ(desk.error(desk.allocate(caller(bob), pool_name, 4_KiB)), ErrorCode::busy);
  EXPECT_NO_THROW(desk.lend(alice));
  PoolDesk of_another_pool({{at(disk), LentPool{7, alice}}});
  EXPECT_NO_THROW(of_another_pool.lend(bob));
  PoolDesk not_readable({{at(disk), LentPool{}}});
  EXPECT_EQ(not_readable.error(not_readable.allocate(caller(bob), pool_name, 4_KiB)), ErrorCode::busy);
}

TEST(ArbiterPeerMemory, WasNotLentWhenTheKernelCouldNot) {
  PoolDesk desk;
  const auto request = desk.allocate(caller(alice), pool_name, 4_KiB);
  desk.kernel_fails("no memory");
  EXPECT_EQ(desk.error(request), ErrorCode::failed);
  EXPECT_NO_THROW(desk.lend(bob));
}

TEST(ArbiterPeerMemory, EndsWithItsLease) {
  PoolDesk desk;
  desk.happens(LeaseEnded{desk.lend()});
  EXPECT_EQ(desk.waiting<EndPeerMemory>(), 1U);
  desk.kernel_works();
  EXPECT_TRUE(desk.state().mappings.empty());
  EXPECT_EQ(desk.state().targets.size(), 1U);
  EXPECT_TRUE(desk.has_noted(Journal::What::ended, "until its driver is unbound"));
}

TEST(ArbiterPeerMemory, CountsAsLentWhenItsLeaseEndedMeanwhile) {
  PoolDesk desk;
  const auto request = desk.allocate(caller(alice), pool_name, 4_KiB);
  const auto mapping = desk.state().mappings.begin()->first;
  desk.happens(LeaseEnded{mapping});
  desk.kernel_works();
  EXPECT_EQ(desk.error(request), ErrorCode::gone);
  EXPECT_TRUE(desk.state().mappings.empty());
  EXPECT_EQ(desk.error(desk.allocate(caller(bob), pool_name, 4_KiB)), ErrorCode::busy) << "its descriptor was sent";
}

TEST(ArbiterPeerMemory, IsDisabledWithForceWhileItIsLent) {
  PoolDesk desk;
  (void)desk.lend();
  EXPECT_EQ(desk.error(desk.disable(pool_name)), ErrorCode::busy);
  const auto disabled = desk.disable(pool_name, true);
  EXPECT_FALSE(desk.is_answered(disabled));
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(disabled));
  EXPECT_TRUE(desk.state().targets.empty());
}

TEST(ArbiterPeerMemory, EndsWithItsDriver) {
  for (const std::uint64_t pool : {0, 2}) {
    PoolDesk desk;
    const auto mapping = desk.lend();
    desk.becomes(with_disk(1));
    EXPECT_TRUE(desk.told.empty()) << "nothing changed";
    desk.becomes(with_disk(pool));
    ASSERT_EQ(desk.told.size(), 1U);
    EXPECT_EQ(desk.told[0].grant, GrantId{mapping});
    EXPECT_EQ(desk.told[0].reason, RevokeReason::device_wanted);
    desk.kernel_works();
    EXPECT_TRUE(desk.state().mappings.empty());
    EXPECT_TRUE(desk.state().targets.empty());
  }
}

TEST(ArbiterPeerMemory, KeepsItsDriver) {
  PoolDesk desk;
  EXPECT_EQ(desk.error(desk.bind(disk)), ErrorCode::busy);
  EXPECT_EQ(desk.error(desk.unbind(disk)), ErrorCode::busy);
  (void)desk.lend();
  const auto unbound = desk.unbind(disk, true);
  EXPECT_EQ(desk.waiting<UnbindFromVfio>(), 0U);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(unbound));
  EXPECT_TRUE(desk.state().mappings.empty());
  EXPECT_TRUE(desk.state().targets.empty());
}

TEST(ArbiterPeerMemory, EndsWhenP2pdStops) {
  PoolDesk desk;
  (void)desk.lend();
  desk.happens(StopRequested{});
  EXPECT_FALSE(desk.has_left);
  desk.kernel_works();
  EXPECT_TRUE(desk.has_left);
}

}  // namespace

}  // namespace p2pd::test
