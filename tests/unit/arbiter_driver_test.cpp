// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Drivers change on a worker of their own, beside openings and unmaps, and perhaps for ever.
#include "arbiter_scene.h"

namespace p2pd::test {

namespace {

constexpr auto sibling = "0000:05:00.0";

// Initiator and sibling share an IOMMU group, though neither reaches the other past the IOMMU.
Machine shared_group(const std::string& sibling_driver = "vfio-pci") {
  return a_machine().on(epyc).with(
      a_root_port("0000:00:02.0")
          .with(
              a_switch("0000:01:00.0")
                  .with(a_port("0000:02:00.0").with(acs_redirect, an_endpoint(initiator).with(bar(0, 1_MiB), in_group(7))),
                        a_port("0000:02:01.0").with(acs_redirect, an_endpoint("0000:04:00.0").with(big_bar(2, 1_MiB))),
                        a_port("0000:02:02.0")
                            .with(acs_redirect, an_endpoint(sibling).with(bar(0, 1_MiB), in_group(7), driver(sibling_driver))))));
}

bool has(const Desk& desk, RequestId id, std::string_view text) {
  return !desk.answer(id) && desk.answer(id).error().text.find(text) != std::string::npos;
}

TEST(ArbiterDriver, OpensNothingInAGroupOfWhichAFunctionChangesItsDriver) {
  Desk desk(shared_group());
  desk.offer(initiator);
  const auto unbound = desk.unbind(sibling);
  ASSERT_EQ(desk.waiting<UnbindFromVfio>(), 1U);

  const auto acquired = desk.acquire(caller(0), initiator);
  EXPECT_EQ(desk.error(acquired), ErrorCode::busy);
  EXPECT_TRUE(has(desk, acquired, sibling)) << desk.answer(acquired).error().text;
  desk.ask(caller(0), Withdraw{.initiator = at(initiator)});
  const auto enabled = desk.enable("0000:03:00.0:0");
  EXPECT_EQ(desk.error(enabled), ErrorCode::busy);
  EXPECT_TRUE(has(desk, enabled, sibling));
  desk.enable(peer_name);
  EXPECT_EQ(desk.waiting<OpenTarget>(), 1U) << "another group is free";

  desk.kernel_works();
  EXPECT_TRUE(desk.answer(unbound));
  desk.enable("0000:03:00.0:0");
  EXPECT_EQ(desk.waiting<OpenTarget>(), 1U);
}

TEST(ArbiterDriver, ChangesNoDriverInAGroupThatIsOpen) {
  Desk desk(shared_group("nvme"));
  desk.offer(initiator);
  const auto acquired = desk.acquire(caller(alice), initiator);
  const auto while_opening = desk.bind(sibling);
  EXPECT_EQ(desk.error(while_opening), ErrorCode::busy);
  desk.kernel_works();
  const auto bound = desk.bind(sibling);
  EXPECT_TRUE(has(desk, bound, name_of(desk.holding(acquired)))) << desk.answer(bound).error().text;
  EXPECT_EQ(desk.error(desk.unbind(sibling, true)), ErrorCode::busy) << "force is for the function's own users";
  EXPECT_EQ(desk.waiting<CloseHolding>(), 0U);

  desk.release(caller(alice), desk.holding(acquired));
  desk.kernel_works();
  desk.bind(sibling);
  EXPECT_EQ(desk.waiting<BindToVfio>(), 1U);
}

TEST(ArbiterDriver, ChangesNoDriverInTheGroupOfATarget) {
  Desk desk(shared_group());
  desk.enable("0000:03:00.0:0");
  const auto while_opening = desk.unbind(sibling);
  EXPECT_TRUE(has(desk, while_opening, initiator));
  desk.kernel_works();
  EXPECT_EQ(desk.error(desk.unbind(sibling)), ErrorCode::busy);
  desk.disable("0000:03:00.0:0");
  desk.kernel_works();
  desk.unbind(sibling);
  EXPECT_EQ(desk.waiting<UnbindFromVfio>(), 1U);
}

TEST(ArbiterDriver, LeavesWithoutADriverThatHangs) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  const auto hanging = desk.unbind(other_initiator);
  auto stuck = std::move(desk.kernel.front());
  desk.kernel.pop_front();

  desk.happens(StopRequested{});
  EXPECT_FALSE(desk.has_left) << "something is lent";
  EXPECT_FALSE(desk.is_answered(hanging));
  desk.kernel_works();
  EXPECT_FALSE(desk.state().holdings.contains(holding));
  EXPECT_TRUE(desk.has_left);
  EXPECT_EQ(desk.error(hanging), ErrorCode::gone);

  desk.kernel.push_back(std::move(stuck));
  desk.kernel_works();  // comes back after all: the desk fails on a second answer
}

TEST(ArbiterDriver, UnbindsByForceWhatIsLent) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();
  const auto refused = desk.unbind(initiator);
  ASSERT_EQ(desk.error(refused), ErrorCode::busy);
  EXPECT_TRUE(has(desk, refused, name_of(holding)));

  const auto unbound = desk.unbind(initiator, true);
  EXPECT_FALSE(desk.state().offers.contains(at(initiator)));
  EXPECT_EQ(desk.waiting<CloseHolding>(), 0U) << "its client has a deadline";
  desk.happens(DeadlinePassed{holding});
  EXPECT_EQ(desk.waiting<CloseHolding>(), 1U);
  EXPECT_EQ(desk.waiting<UnbindFromVfio>(), 0U) << "not before it is closed";
  EXPECT_EQ(desk.error(desk.unbind(initiator, true)), ErrorCode::busy) << "once";

  desk.kernel_works();
  EXPECT_TRUE(desk.answer(unbound));
  EXPECT_TRUE(desk.state().holdings.empty());
  EXPECT_TRUE(desk.state().mappings.empty());
}

TEST(ArbiterDriver, UnbindsByForceWhatIsATarget) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();

  const auto unbound = desk.unbind("0000:04:00.0", true);
  ASSERT_EQ(desk.told.size(), 1U);
  EXPECT_EQ(desk.told[0].reason, RevokeReason::device_wanted);
  EXPECT_EQ(desk.waiting<Unmap>(), 1U);
  EXPECT_EQ(desk.error(desk.enable(peer_name)), ErrorCode::busy) << "nobody gets it any more";
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(unbound));
  EXPECT_TRUE(desk.state().targets.empty());
  EXPECT_TRUE(desk.state().holdings.contains(holding)) << "the initiator is another function";
}

TEST(ArbiterDriver, UnbindsByForceWhatIsBeingOpened) {
  Desk desk(redirecting_switch());
  desk.offer(initiator);
  const auto acquired = desk.acquire(caller(alice), initiator);
  const auto enabled = desk.enable(peer_name);
  const auto no_holding = desk.unbind(initiator, true);
  const auto no_target = desk.unbind("0000:04:00.0", true);
  EXPECT_EQ(desk.waiting<UnbindFromVfio>(), 0U);
  desk.kernel_works();
  EXPECT_EQ(desk.error(acquired), ErrorCode::gone);
  EXPECT_EQ(desk.error(enabled), ErrorCode::gone);
  EXPECT_TRUE(desk.answer(no_holding));
  EXPECT_TRUE(desk.answer(no_target));
  EXPECT_TRUE(desk.state().targets.empty());
  EXPECT_TRUE(desk.state().holdings.empty());
}

TEST(ArbiterDriver, SaysWhyAnUnbindByForceFailed) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  const auto unbound = desk.unbind(initiator, true);
  desk.happens(LeaseEnded{holding});
  ASSERT_EQ(desk.waiting<CloseHolding>(), 1U);
  desk.kernel.pop_front();
  desk.happens(HoldingClosed{holding});
  ASSERT_EQ(desk.waiting<ClearOut>(), 1U);
  desk.kernel.pop_front();
  desk.happens(ClearedOut{holding, false, {}});
  ASSERT_EQ(desk.waiting<UnbindFromVfio>(), 1U);
  EXPECT_TRUE(std::get<UnbindFromVfio>(desk.kernel.front()).force);
  desk.kernel_fails("somebody has it open");
  EXPECT_TRUE(has(desk, unbound, "somebody has it open"));
  EXPECT_TRUE(desk.answer(desk.offer(initiator))) << "it is free for another try";
}

TEST(ArbiterDriver, AnswersAnUnbindByForceOnceWhenItStops) {
  ReadyDesk desk;
  desk.hold();
  const auto unbound = desk.unbind(initiator, true);
  desk.happens(StopRequested{});
  desk.kernel_works();
  EXPECT_TRUE(desk.has_left);
  EXPECT_EQ(desk.error(unbound), ErrorCode::gone);
}

// Two functions of one group, one of which has a driver of its own, and a bridge.
TEST(ArbiterDriver, BindsAWholeGroup) {
  Desk desk(shared_group("nvme"));
  const auto bound = desk.bind(initiator, true);
  ASSERT_EQ(desk.waiting<BindToVfio>(), 1U);
  EXPECT_EQ(std::get<BindToVfio>(desk.kernel.front()).devices, std::vector<Address>{at(sibling)}) << "the other one is there";
  EXPECT_EQ(desk.error(desk.bind(initiator, true)), ErrorCode::busy) << "once";
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(bound));

  Desk idle(shared_group());
  EXPECT_TRUE(idle.answer(idle.bind(initiator, true))) << "nothing to do";
  EXPECT_TRUE(idle.kernel.empty());
}

TEST(ArbiterDriver, UnbindsAWholeGroup) {
  Desk desk(shared_group());
  const auto unbound = desk.unbind(sibling, false, true);
  ASSERT_EQ(desk.waiting<UnbindFromVfio>(), 1U);
  EXPECT_EQ(std::get<UnbindFromVfio>(desk.kernel.front()).devices, (std::vector<Address>{at(initiator), at(sibling)}));
  desk.kernel_fails("EIO");
  EXPECT_TRUE(has(desk, unbound, "EIO"));
  desk.unbind(sibling, false, true);
  EXPECT_EQ(desk.waiting<UnbindFromVfio>(), 1U) << "all of it is free for another try";
}

TEST(ArbiterDriver, UnbindsAGroupOfWhichAFunctionIsLentByForceOnly) {
  Desk desk(shared_group());
  desk.offer(initiator);
  const auto acquired = desk.acquire(caller(alice), initiator);
  desk.kernel_works();
  const auto holding = desk.holding(acquired);
  EXPECT_TRUE(has(desk, desk.unbind(sibling, false, true), name_of(holding)));
  EXPECT_TRUE(has(desk, desk.unbind(sibling, true), name_of(holding))) << "its sibling alone stays refused";

  const auto unbound = desk.unbind(sibling, true, true);
  EXPECT_EQ(desk.told.size(), 1U);
  EXPECT_EQ(desk.waiting<UnbindFromVfio>(), 0U);
  desk.happens(LeaseEnded{holding});
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(unbound));
}

TEST(ArbiterDriver, AnswersAWholeGroupOnceWhenItStops) {
  Desk desk(shared_group());
  const auto hanging = desk.unbind(sibling, false, true);
  auto stuck = std::move(desk.kernel.front());
  desk.kernel.pop_front();
  desk.happens(StopRequested{});
  EXPECT_TRUE(desk.has_left);
  EXPECT_EQ(desk.error(hanging), ErrorCode::gone);
}

TEST(ArbiterDriver, KnowsNoGroupOfAFunctionWithoutOne) {
  const Machine machine = shared_group();
  auto functions = machine.functions();
  for (auto& function : functions) function.iommu_group.reset();
  Desk desk(Machine(machine.host(), std::move(functions)));
  EXPECT_EQ(desk.error(desk.bind(initiator, true)), ErrorCode::blocked);
}

}  // namespace

}  // namespace p2pd::test
