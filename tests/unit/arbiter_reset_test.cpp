// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A function is reset when nobody uses it any more, and nobody gets it meanwhile.
#include "arbiter_scene.h"

namespace p2pd::test {

namespace {

constexpr auto peer_device = "0000:04:00.0";

struct UsedTarget : ReadyDesk {
  HoldingId holding_of_alice = hold();
  MappingId mapping = [this] {
    const auto request = map(caller(alice), holding_of_alice, peer_name);
    kernel_works();
    return peer(request).mapping;
  }();
};

TEST(ArbiterReset, OfATargetThatNobodyUsesIsDoneAtOnce) {
  ReadyDesk desk;
  const auto reset = desk.reset(peer_device);
  EXPECT_EQ(desk.waiting<ResetFunction>(), 1U);
  EXPECT_FALSE(desk.is_answered(reset));
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(reset));
  EXPECT_EQ(desk.state().targets.size(), 1U) << "it is a target still";
}

TEST(ArbiterReset, IsRefusedWhileAMappingUsesIt) {
  UsedTarget desk;
  const auto reset = desk.reset(peer_device);
  EXPECT_EQ(desk.error(reset), ErrorCode::busy);
  EXPECT_NE(desk.answer(reset).error().text.find(name_of(desk.mapping)), std::string::npos);
  EXPECT_TRUE(desk.kernel.empty());
  EXPECT_EQ(desk.state().mappings.at(desk.mapping).phase, GrantPhase::active);
}

TEST(ArbiterReset, ByForceComesAfterTheUnmap) {
  UsedTarget desk;
  const auto reset = desk.reset(peer_device, true);
  EXPECT_EQ(desk.waiting<Unmap>(), 1U);
  EXPECT_EQ(desk.waiting<ResetFunction>(), 0U) << "not before it is unmapped";
  ASSERT_FALSE(desk.told.empty());
  EXPECT_EQ(desk.told.back().reason, RevokeReason::device_reset);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(reset));
  EXPECT_TRUE(desk.state().mappings.empty());

  const auto again = desk.map(caller(alice), desk.holding_of_alice, peer_name);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(again));
}

TEST(ArbiterReset, WaitsForTheClientAsLongAsItsGraceLasts) {
  UsedTarget desk;
  const auto reset = desk.reset(peer_device, true, std::chrono::seconds{2});
  EXPECT_EQ(desk.waiting<Unmap>(), 0U);
  EXPECT_EQ(desk.deadlines.size(), 1U);
  // Meanwhile nobody else gets it.
  EXPECT_EQ(desk.error(desk.map(caller(alice), desk.holding_of_alice, peer_name)), ErrorCode::busy);
  EXPECT_EQ(desk.error(desk.reset(peer_device)), ErrorCode::busy);
  EXPECT_EQ(desk.error(desk.unbind(peer_device)), ErrorCode::busy);
  EXPECT_FALSE(desk.is_answered(reset));

  desk.happens(DeadlinePassed{desk.mapping});
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(reset));
}

TEST(ArbiterReset, OfALentFunctionTakesItBackFirst) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  EXPECT_EQ(desk.error(desk.reset(initiator)), ErrorCode::busy);
  const auto reset = desk.reset(initiator, true);
  EXPECT_EQ(desk.waiting<CloseHolding>(), 1U);
  EXPECT_EQ(desk.waiting<ResetFunction>(), 0U);
  EXPECT_EQ(desk.error(desk.acquire(caller(alice), initiator)), ErrorCode::busy) << "not to the next one either";
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(reset));
  EXPECT_FALSE(desk.state().holdings.contains(holding));
}

TEST(ArbiterReset, OfAFunctionThatIsOnlyOfferedOpensIt) {
  ReadyDesk desk;
  const auto reset = desk.reset(initiator);
  EXPECT_EQ(desk.waiting<ResetFunction>(), 1U);
  EXPECT_EQ(desk.error(desk.acquire(caller(alice), initiator)), ErrorCode::busy);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(reset));
  const auto acquired = desk.acquire(caller(alice), initiator);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(acquired));
}

TEST(ArbiterReset, ThatFailsIsAnsweredAndOver) {
  ReadyDesk desk;
  const auto reset = desk.reset(peer_device);
  desk.kernel_fails("no such reset");
  EXPECT_EQ(desk.error(reset), ErrorCode::failed);
  const auto again = desk.reset(peer_device);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(again));
}

TEST(ArbiterReset, IsForFunctionsOnVfioPci) {
  Desk desk(
      a_machine().on(epyc).with(a_root_port("0000:00:02.0").with(an_endpoint(initiator).with(bar(0, 1_MiB), driver("nvme")))));
  EXPECT_EQ(desk.error(desk.reset(initiator)), ErrorCode::blocked);
  EXPECT_EQ(desk.error(desk.reset("0000:00:02.0")), ErrorCode::blocked) << "a bridge";
  EXPECT_EQ(desk.error(desk.reset("0000:77:00.0")), ErrorCode::not_found);
  EXPECT_TRUE(desk.kernel.empty());
}

// Whatever is in its slot when the clients are done.
TEST(ArbiterReset, GivesUpWhenTheFunctionGoesMeanwhile) {
  UsedTarget desk;
  const auto reset = desk.reset(peer_device, true, std::chrono::seconds{2});
  desk.becomes(a_machine().on(epyc).with(a_root_port("0000:00:02.0").with(an_endpoint(initiator).with(bar(0, 1_MiB)))));
  EXPECT_EQ(desk.error(reset), ErrorCode::gone);
  desk.becomes(redirecting_switch());
  desk.kernel_works();
  EXPECT_EQ(desk.waiting<ResetFunction>(), 0U);
}

TEST(ArbiterReset, OfAPhysicalFunctionWouldResetItsVirtualOnes) {
  Desk desk(a_machine().on(epyc).with(
      a_root_port("0000:00:02.0")
          .with(an_endpoint(initiator).with(bar(0, 1_MiB)), a_virtual_function("0000:03:00.1", initiator).with(bar(0, 4_KiB)))));
  EXPECT_EQ(desk.error(desk.reset(initiator)), ErrorCode::blocked);
}

TEST(ArbiterReset, KeepsTheGroupFromOtherDrivers) {
  Desk desk(a_machine().on(epyc).with(a_root_port("0000:00:02.0")
                                          .with(an_endpoint("0000:03:00.0").with(bar(0, 1_MiB), in_group(7)),
                                                an_endpoint("0000:03:00.1").with(bar(0, 1_MiB), in_group(7)))));
  const auto reset = desk.reset("0000:03:00.0");
  EXPECT_EQ(desk.error(desk.unbind("0000:03:00.1")), ErrorCode::busy);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(reset));
  desk.unbind("0000:03:00.1");
  EXPECT_EQ(desk.waiting<UnbindFromVfio>(), 1U);
}

TEST(ArbiterReset, IsWaitedForWhenP2pdStops) {
  ReadyDesk desk;
  const auto reset = desk.reset(peer_device);
  desk.happens(StopRequested{});
  EXPECT_FALSE(desk.has_left);
  desk.kernel_works();
  EXPECT_TRUE(desk.is_answered(reset));
  EXPECT_TRUE(desk.has_left);
}

}  // namespace

}  // namespace p2pd::test
