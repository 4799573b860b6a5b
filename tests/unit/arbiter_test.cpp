// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "arbiter_scene.h"

namespace p2pd::test {

namespace {

TEST(Arbiter, LendsAnInitiatorMapsATargetAndTakesBothBack) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  const auto mapped = desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();
  EXPECT_EQ(desk.peer(mapped).length, Bytes{1_MiB});
  EXPECT_EQ(desk.state().mappings.size(), 1U);

  const auto released = desk.release(caller(alice), holding);
  EXPECT_FALSE(desk.is_answered(released)) << "nothing was closed yet";
  EXPECT_EQ(desk.waiting<CloseHolding>(), 1U);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(released));
  EXPECT_TRUE(desk.state().holdings.empty());
  EXPECT_TRUE(desk.state().mappings.empty());
}

TEST(Arbiter, LendsNothingThatWasNotOffered) {
  Desk desk(redirecting_switch());
  EXPECT_EQ(desk.error(desk.acquire(caller(alice), initiator)), ErrorCode::not_offered);
  EXPECT_EQ(desk.error(desk.acquire(caller(0), initiator)), ErrorCode::not_offered) << "not to root either";
  EXPECT_TRUE(desk.kernel.empty()) << "no device is opened for it";

  ASSERT_TRUE(desk.answer(desk.offer(initiator)));
  desk.acquire(caller(alice), initiator);
  EXPECT_EQ(desk.waiting<OpenHolding>(), 1U);
}

TEST(Arbiter, LendsNothingThatMayHaveAtsOnceItIsLentUnlessItsFirmwareIsTrusted) {
  const auto offered = [](const Change& change, bool trusted_firmware = false) {
    const auto machine = redirecting_switch().build();
    auto functions = machine.functions();
    for (auto& function : functions)
      if (function.address == at(initiator)) change(function);
    Desk desk(Machine(machine.host(), functions));
    return desk.answer(desk.ask(caller(0), Offer{.initiator = at(initiator), .trusted_firmware = trusted_firmware})).has_value();
  };
  const auto off_in = [](std::optional<std::string> type) {
    return [=](Function& function) { function.has_ats = true, function.iommu_type = type; };
  };
  EXPECT_FALSE(offered(off_in("identity")));
  EXPECT_FALSE(offered(off_in({})));
  EXPECT_TRUE(offered(off_in("identity"), true));
  EXPECT_TRUE(offered(off_in("DMA")));
  EXPECT_TRUE(offered([](Function& function) { function.iommu_type = "identity"; })) << "without the capability";
}

TEST(Arbiter, MapsNothingThatWasNotEnabled) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  EXPECT_EQ(desk.error(desk.map(caller(alice), holding, "0000:05:00.0:0")), ErrorCode::not_enabled);
  EXPECT_TRUE(desk.kernel.empty());
  desk.map(caller(alice), holding, peer_name);
  EXPECT_EQ(desk.waiting<MapPeer>(), 1U);
}

TEST(Arbiter, LendsToTheGroupOfTheOfferOnly) {
  Desk desk(redirecting_switch());
  ASSERT_TRUE(desk.answer(desk.offer(initiator, "video", 44)));
  EXPECT_EQ(desk.error(desk.acquire(caller(alice, {100}), initiator)), ErrorCode::not_permitted);
  desk.acquire(caller(bob, {100, 44}), initiator);
  EXPECT_EQ(desk.waiting<OpenHolding>(), 1U);
}

TEST(Arbiter, LendsAFunctionToOneClientAtATime) {
  ReadyDesk desk;
  const auto first = desk.acquire(caller(alice), initiator);
  EXPECT_EQ(desk.error(desk.acquire(caller(bob), initiator)), ErrorCode::busy) << "while it is being opened";
  desk.kernel_works();
  EXPECT_EQ(desk.error(desk.acquire(caller(bob), initiator)), ErrorCode::busy);
  desk.release(caller(alice), desk.holding(first));
  EXPECT_EQ(desk.error(desk.acquire(caller(bob), initiator)), ErrorCode::busy) << "while it is being closed";
  desk.kernel_works();
  desk.hold(caller(bob));
}

TEST(Arbiter, LetsNobodyUseAnothersHolding) {
  ReadyDesk desk;
  const auto holding = desk.hold(caller(alice));
  EXPECT_EQ(desk.error(desk.map(caller(bob), holding, peer_name)), ErrorCode::not_permitted);
  EXPECT_EQ(desk.error(desk.map_memory(caller(bob), holding, 4_KiB)), ErrorCode::not_permitted);
  EXPECT_EQ(desk.error(desk.release(caller(bob), holding)), ErrorCode::not_permitted);
  EXPECT_TRUE(desk.state().holdings.contains(holding));
}

TEST(Arbiter, KeepsAnExclusiveTargetForOneHolding) {
  ReadyDesk desk;
  const auto mine = desk.hold(caller(alice));
  const auto yours = desk.hold(caller(bob), other_initiator);
  desk.map(caller(alice), mine, peer_name);
  EXPECT_EQ(desk.error(desk.map(caller(bob), yours, peer_name)), ErrorCode::busy);
  desk.kernel_works();
  desk.release(caller(alice), mine);
  desk.kernel_works();
  const auto now = desk.map(caller(bob), yours, peer_name);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(now));
}

TEST(Arbiter, GivesDifferentUsersDisjointRangesOfASharedTarget) {
  Desk desk(redirecting_switch());
  desk.enable(peer_name, false);
  desk.offer(initiator);
  desk.offer(other_initiator);
  desk.kernel_works();
  const auto a = desk.acquire(caller(alice), initiator);
  const auto b = desk.acquire(caller(bob), other_initiator);
  desk.kernel_works();
  desk.map(caller(alice), desk.holding(a), "0000:04:00.0:2:0x0+0x2000");
  EXPECT_EQ(desk.error(desk.map(caller(bob), desk.holding(b), "0000:04:00.0:2:0x1000+0x2000")), ErrorCode::busy);
  desk.map(caller(bob), desk.holding(b), "0000:04:00.0:2:0x2000+0x2000");
  EXPECT_EQ(desk.waiting<MapPeer>(), 2U);
}

TEST(Arbiter, LeavesNothingWhenTheKernelRefuses) {
  ReadyDesk desk;
  const auto opened = desk.acquire(caller(alice), initiator);
  desk.kernel_fails("open group 12: Device or resource busy");
  EXPECT_EQ(desk.answer(opened).error().text, "open group 12: Device or resource busy");
  EXPECT_TRUE(desk.state().holdings.empty());

  const auto holding = desk.hold();
  const auto before = desk.state().holdings.at(holding).space.taken().size();
  const auto mapped = desk.map(caller(alice), holding, peer_name);
  desk.kernel_fails("map");
  EXPECT_EQ(desk.error(mapped), ErrorCode::failed);
  EXPECT_TRUE(desk.state().mappings.empty());
  EXPECT_EQ(desk.state().holdings.at(holding).space.taken().size(), before);

  const auto enabled = desk.enable("0000:05:00.0:0");
  EXPECT_EQ(desk.error(enabled), ErrorCode::busy) << "offered";
}

TEST(Arbiter, LeavesNoTargetWhenItCannotBeOpened) {
  Desk desk(redirecting_switch());
  const auto enabled = desk.enable(peer_name);
  desk.kernel_fails("open group 9");
  EXPECT_EQ(desk.error(enabled), ErrorCode::failed);
  EXPECT_TRUE(desk.state().targets.empty());
  desk.enable(peer_name);
  EXPECT_EQ(desk.waiting<OpenTarget>(), 1U) << "it can be tried again";
}

TEST(Arbiter, EndsAHoldingWithItsLease) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();
  ASSERT_EQ(desk.state().mappings.size(), 1U);
  desk.happens(LeaseEnded{holding});
  EXPECT_EQ(desk.waiting<CloseHolding>(), 1U);
  desk.kernel_works();
  EXPECT_TRUE(desk.state().mappings.empty());
  EXPECT_TRUE(desk.state().holdings.empty());
}

TEST(Arbiter, EndsAHoldingWhoseLeaseEndedWhileItWasBeingOpened) {
  ReadyDesk desk;
  const auto request = desk.acquire(caller(alice), initiator);
  const auto id = desk.state().holdings.begin()->first;
  desk.happens(LeaseEnded{id});
  desk.kernel_works();
  EXPECT_EQ(desk.error(request), ErrorCode::gone);
  EXPECT_TRUE(desk.state().holdings.empty());
}

TEST(Arbiter, EndsAMappingAloneWithALeaseOfItsOwn) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  const auto mapped = desk.map(caller(alice), holding, peer_name, true);
  desk.kernel_works();
  desk.happens(LeaseEnded{desk.peer(mapped).mapping});
  EXPECT_EQ(desk.waiting<Unmap>(), 1U);
  desk.kernel_works();
  EXPECT_TRUE(desk.state().mappings.empty());
  EXPECT_EQ(desk.state().holdings.size(), 1U);
}

TEST(Arbiter, EndsTheWholeHoldingWhenAnUnmapFails) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  const auto mapped = desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();
  const auto released = desk.release(caller(alice), desk.peer(mapped).mapping);
  desk.kernel_fails("unmap");
  EXPECT_FALSE(desk.is_answered(released)) << "it is mapped still";
  EXPECT_EQ(desk.waiting<CloseHolding>(), 1U);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(released));
  EXPECT_TRUE(desk.state().holdings.empty());
}

TEST(Arbiter, RefusesToDisableATargetInUseAndNamesTheUser) {
  ReadyDesk desk;
  const auto mapped = desk.map(caller(alice), desk.hold(), peer_name);
  desk.kernel_works();
  const auto refused = desk.disable(peer_name);
  ASSERT_EQ(desk.error(refused), ErrorCode::busy);
  EXPECT_NE(desk.answer(refused).error().text.find("mapping/" + std::to_string(desk.peer(mapped).mapping.value)),
            std::string::npos);
  EXPECT_EQ(desk.state().mappings.size(), 1U);
}

TEST(Arbiter, RevokesInTwoPhasesWhenATargetIsDisabledByForce) {
  ReadyDesk desk;
  const auto mapped = desk.map(caller(alice), desk.hold(), peer_name);
  desk.kernel_works();
  const auto mapping = desk.peer(mapped).mapping;

  const auto disabled = desk.disable(peer_name, true, std::chrono::milliseconds{500});
  ASSERT_EQ(desk.told.size(), 1U);
  EXPECT_EQ(desk.told[0].what, Tell::What::revoking);
  EXPECT_EQ(desk.told[0].reason, RevokeReason::disabled);
  ASSERT_EQ(desk.deadlines.size(), 1U);
  EXPECT_TRUE(desk.kernel.empty()) << "nothing is unmapped before the deadline";
  EXPECT_EQ(desk.error(desk.map(caller(alice), desk.state().mappings.at(mapping).holding.value(), peer_name)),
            ErrorCode::not_enabled)
      << "but nobody gets it any more";

  desk.happens(DeadlinePassed{mapping});
  ASSERT_EQ(desk.told.size(), 2U);
  EXPECT_EQ(desk.told[1].what, Tell::What::revoked);
  EXPECT_EQ(desk.told[1].reason, RevokeReason::disabled);
  EXPECT_FALSE(desk.is_answered(disabled));
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(disabled));
  EXPECT_TRUE(desk.state().targets.empty());
  EXPECT_TRUE(desk.state().mappings.empty());
}

TEST(Arbiter, IgnoresADeadlineWhenTheClientLetGoBefore) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  const auto mapped = desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();
  const auto mapping = desk.peer(mapped).mapping;
  desk.disable(peer_name, true, std::chrono::milliseconds{500});
  desk.release(caller(alice), mapping);
  desk.kernel_works();
  const auto told = desk.told.size();
  desk.happens(DeadlinePassed{mapping});
  EXPECT_EQ(desk.told.size(), told);
  EXPECT_TRUE(desk.kernel.empty());
}

TEST(Arbiter, NeedsItsOwnActionForASwitchRoute) {
  ReadyDesk desk(plain_switch());
  auto permitted = caller(alice);
  permitted.granted.insert(Action::switch_route);
  const auto holding = desk.hold(permitted);
  EXPECT_EQ(desk.error(desk.map(caller(alice), holding, peer_name)), ErrorCode::not_permitted);
  const auto mapped = desk.map(permitted, holding, peer_name);
  desk.kernel_works();
  const auto* bar = desk.arbiter().machine().find(at("0000:04:00.0"))->find_bar(2);
  EXPECT_EQ(desk.peer(mapped).cookie.value, bar->bus_address->value) << "the switch routes by bus address";
}

TEST(Arbiter, NeverGivesABusAddressWhereTheRouteIsTheRootComplex) {
  ReadyDesk desk;
  const auto mapped = desk.map(caller(alice), desk.hold(), peer_name);
  desk.kernel_works();
  const auto* bar = desk.arbiter().machine().find(at("0000:04:00.0"))->find_bar(2);
  EXPECT_NE(desk.peer(mapped).cookie.value, bar->bus_address->value);
}

TEST(Arbiter, LendsNothingThatReachesForeignFunctionsPastTheIommu) {
  const auto machine = [](const std::string& sibling_driver) -> Machine {
    return a_machine().on(epyc).with(
        a_root_port("0000:00:02.0")
            .with(a_switch("0000:01:00.0")
                      .with(a_port("0000:02:00.0").with(acs_clear, an_endpoint(initiator).with(bar(0, 1_MiB))),
                            a_port("0000:02:01.0")
                                .with(acs_clear, an_endpoint("0000:04:00.0").with(bar(0, 1_MiB), driver(sibling_driver))))));
  };
  Desk desk(machine("nvme"));
  desk.offer(initiator);
  const auto refused = desk.acquire(caller(alice), initiator);
  ASSERT_EQ(desk.error(refused), ErrorCode::blocked);
  EXPECT_NE(desk.answer(refused).error().text.find("0000:04:00.0"), std::string::npos);
  EXPECT_NE(desk.answer(refused).error().text.find("[reach-not-owned]"), std::string::npos);

  Desk idle(machine(""));
  idle.offer(initiator);
  idle.acquire(caller(alice), initiator);
  EXPECT_EQ(idle.waiting<OpenHolding>(), 1U);
}

TEST(Arbiter, GivesNoDriverToWhatALentFunctionReaches) {
  constexpr auto sibling = "0000:04:00.0";
  Desk desk(plain_switch());
  desk.offer(initiator);
  const auto held = desk.acquire(caller(alice), initiator);
  desk.kernel_works();
  EXPECT_EQ(desk.error(desk.ask(caller(0), UnbindDriver{at(sibling)})), ErrorCode::busy);
  desk.release(caller(alice), desk.holding(held));
  desk.kernel_works();
  desk.ask(caller(0), UnbindDriver{at(sibling)});
  EXPECT_EQ(desk.waiting<UnbindFromVfio>(), 1U);
  EXPECT_EQ(desk.error(desk.acquire(caller(alice), initiator)), ErrorCode::blocked) << "its driver is on the way";
}

TEST(Arbiter, DoesNotMoveADeadlineBack) {
  ReadyDesk desk;
  const auto mapped = desk.map(caller(alice), desk.hold(), peer_name);
  desk.kernel_works();
  desk.disable(peer_name, true, std::chrono::milliseconds{500});
  ASSERT_EQ(desk.deadlines.size(), 1U);
  desk.ask(caller(0), Revoke{.grant = desk.peer(mapped).mapping, .why = "", .grace = std::chrono::milliseconds{60000}});
  EXPECT_EQ(desk.deadlines.size(), 1U);
  desk.ask(caller(0), Revoke{.grant = desk.peer(mapped).mapping, .why = "", .grace = std::chrono::milliseconds{100}});
  EXPECT_EQ(desk.deadlines.size(), 2U);
}

TEST(Arbiter, CountsHoldingsMappingsAndPinnedBytesPerUser) {
  ReadyDesk desk(redirecting_switch(), {.holdings = 1, .mappings = 2, .bytes = Bytes{8_KiB}});
  const auto holding = desk.hold();
  EXPECT_EQ(desk.error(desk.acquire(caller(alice), other_initiator)), ErrorCode::quota_exceeded);
  desk.hold(caller(bob), other_initiator);

  EXPECT_EQ(desk.error(desk.map_memory(caller(alice), holding, 12_KiB)), ErrorCode::quota_exceeded);
  desk.map_memory(caller(alice), holding, 4_KiB);
  EXPECT_EQ(desk.error(desk.map_memory(caller(alice), holding, 8_KiB)), ErrorCode::quota_exceeded);
  desk.map_memory(caller(alice), holding, 4_KiB);
  desk.kernel_works();
  EXPECT_EQ(desk.error(desk.map(caller(alice), holding, peer_name)), ErrorCode::quota_exceeded) << "two mappings are there";
}

TEST(Arbiter, DisablesAndWithdrawsWhatIsNotThereWithoutAnError) {
  ReadyDesk desk;
  const auto disabled = desk.disable(peer_name);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(disabled));
  EXPECT_TRUE(desk.state().targets.empty());
  EXPECT_TRUE(desk.answer(desk.disable(peer_name)));
  EXPECT_TRUE(desk.answer(desk.ask(caller(0), Withdraw{.initiator = at(initiator)})));
  EXPECT_FALSE(desk.state().offers.contains(at(initiator)));
  EXPECT_TRUE(desk.answer(desk.ask(caller(0), Withdraw{.initiator = at(initiator)})));
}

TEST(Arbiter, RefusesToDisableAPartOfATarget) {
  ReadyDesk desk;
  EXPECT_EQ(desk.error(desk.disable("0000:04:00.0:2:0x1000+0x1000")), ErrorCode::invalid_argument);
  EXPECT_EQ(desk.state().targets.size(), 1U);
}

TEST(Arbiter, KeepsInitiatorsAndTargetsApart) {
  ReadyDesk desk;
  EXPECT_EQ(desk.error(desk.offer("0000:04:00.0")), ErrorCode::busy);
  EXPECT_EQ(desk.error(desk.enable("0000:03:00.0:0")), ErrorCode::busy);
}

TEST(Arbiter, EnablesAndOffersTwiceOnTheSameTermsOnly) {
  ReadyDesk desk;
  EXPECT_TRUE(desk.answer(desk.enable(peer_name)));
  EXPECT_EQ(desk.error(desk.enable(peer_name, false)), ErrorCode::busy);
  EXPECT_TRUE(desk.answer(desk.offer(initiator)));
  EXPECT_EQ(desk.error(desk.offer(initiator, "video", 44)), ErrorCode::busy);
  EXPECT_TRUE(desk.kernel.empty());
}

TEST(Arbiter, RefusesRangesThatAreNoPagesOfTheBar) {
  Desk desk(redirecting_switch());
  EXPECT_EQ(desk.error(desk.enable("0000:04:00.0:2:0x100+0x1000")), ErrorCode::invalid_argument);
  EXPECT_EQ(desk.error(desk.enable("0000:04:00.0:2:0x1000+0x100")), ErrorCode::invalid_argument);
  EXPECT_EQ(desk.error(desk.enable("0000:04:00.0:2:0x100000+0x1000")), ErrorCode::invalid_argument);
  EXPECT_EQ(desk.error(desk.enable("0000:04:00.0:2:0x1000+0x100000")), ErrorCode::invalid_argument);
  EXPECT_EQ(desk.error(desk.enable("0000:04:00.0:1")), ErrorCode::not_found);
  EXPECT_EQ(desk.error(desk.enable("0000:09:00.0:1")), ErrorCode::not_found);
  desk.enable("0000:04:00.0:2:0x1000+0x1000");
  EXPECT_EQ(desk.waiting<OpenTarget>(), 1U);
}

TEST(Arbiter, RefusesABarThatHoldsTheMsixTable) {
  const auto with_msix = [](Function& function) {
    function.msix = MsixLocation{.table_bar = 2,
                                 .table_offset = Bytes{0x2000},
                                 .table_length = Bytes{0x100},
                                 .pba_bar = 2,
                                 .pba_offset = Bytes{0x3000},
                                 .pba_length = Bytes{8}};
  };
  Desk desk(a_machine().with(an_endpoint("0000:04:00.0").with(big_bar(2, 1_MiB), with_msix)));
  EXPECT_EQ(desk.error(desk.enable("0000:04:00.0:2")), ErrorCode::blocked);
  EXPECT_EQ(desk.error(desk.enable("0000:04:00.0:2:0x3000+0x1000")), ErrorCode::blocked) << "pending bits";
  desk.enable("0000:04:00.0:2:0x4000+0x1000");
  EXPECT_EQ(desk.waiting<OpenTarget>(), 1U);
}

TEST(Arbiter, ChangesNoDriverUnderAUser) {
  ReadyDesk desk;
  EXPECT_EQ(desk.error(desk.ask(caller(0), UnbindDriver{at("0000:04:00.0")})), ErrorCode::busy);
  desk.hold();
  EXPECT_EQ(desk.error(desk.ask(caller(0), UnbindDriver{at(initiator)})), ErrorCode::busy);
  const auto unbound = desk.ask(caller(0), UnbindDriver{at(other_initiator)});
  EXPECT_EQ(desk.error(desk.acquire(caller(bob), other_initiator)), ErrorCode::busy) << "it is on its way out";
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(unbound));
}

TEST(Arbiter, TakesEverythingBackBeforeItLeaves) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();
  const auto late = desk.acquire(caller(bob), other_initiator);

  desk.happens(StopRequested{});
  EXPECT_FALSE(desk.has_left);
  EXPECT_EQ(desk.error(desk.enable("0000:05:00.0:0")), ErrorCode::gone) << "nothing new while stopping";
  desk.kernel_works();
  EXPECT_EQ(desk.error(late), ErrorCode::gone);
  EXPECT_TRUE(desk.state().holdings.empty());
  EXPECT_TRUE(desk.state().targets.empty());
  EXPECT_TRUE(desk.has_left);
}

TEST(Arbiter, LeavesAtOnceWhenThereIsNothingToGiveBack) {
  Desk desk(redirecting_switch());
  desk.happens(StopRequested{});
  EXPECT_TRUE(desk.has_left);
}

TEST(Arbiter, RevokesWhatComesFromADeviceThatIsGone) {
  ReadyDesk desk;
  desk.map(caller(alice), desk.hold(), peer_name);
  desk.kernel_works();
  const Machine without = a_machine().on(epyc).with(
      a_root_port("0000:00:02.0")
          .with(a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0").with(acs_redirect, an_endpoint(initiator).with(bar(0, 1_MiB))))));
  desk.happens(MachineChanged{std::make_shared<const Machine>(without)});
  ASSERT_FALSE(desk.told.empty());
  EXPECT_EQ(desk.told[0].reason, RevokeReason::device_gone);
  desk.kernel_works();
  EXPECT_TRUE(desk.state().targets.empty());
  EXPECT_TRUE(desk.state().mappings.empty());
  EXPECT_EQ(desk.state().holdings.size(), 1U) << "the initiator is still there";
}

TEST(Arbiter, AnswersAPairWithEverythingThatIsMissing) {
  Desk desk(redirecting_switch());
  const auto before = desk.arbiter().check(at(initiator), target(peer_name), 64);
  EXPECT_EQ(before.possible, Answer::yes);
  EXPECT_EQ(before.answer, Answer::no);
  std::set<std::string> codes;
  for (const auto& blocker : before.blockers) codes.insert(blocker.code);
  EXPECT_TRUE(codes.contains("target-not-enabled"));
  EXPECT_TRUE(codes.contains("initiator-not-offered"));

  desk.enable(peer_name);
  desk.offer(initiator);
  desk.kernel_works();
  EXPECT_EQ(desk.arbiter().check(at(initiator), target(peer_name), 64).answer, Answer::yes);
}

}  // namespace

}  // namespace p2pd::test
