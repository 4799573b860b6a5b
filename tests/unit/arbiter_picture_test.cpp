// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a new picture of the machine takes away.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "arbiter/terms.h"
#include "arbiter_scene.h"
#include "topology/topology.h"

namespace p2pd::test {

namespace {

constexpr auto sibling = "0000:04:00.0";

// Two endpoints below a switch that lets them at each other.
Machine open_switch(const std::string& sibling_driver) {
  return a_machine().on(epyc).with(
      a_root_port("0000:00:02.0")
          .with(a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0").with(acs_clear, an_endpoint(initiator).with(bar(0, 1_MiB))),
                          a_port("0000:02:01.0")
                              .with(acs_clear, an_endpoint(sibling).with(big_bar(2, 1_MiB), driver(sibling_driver))))));
}

Machine without(const Machine& machine, std::string_view address) {
  auto functions = machine.functions();
  std::erase_if(functions, [&](const Function& function) { return function.address == at(address); });
  return {machine.host(), std::move(functions)};
}

Machine changed(const Machine& machine, std::string_view address, const Change& change) {
  auto functions = machine.functions();
  for (auto& function : functions)
    if (function.address == at(address)) change(function);
  return {machine.host(), std::move(functions)};
}

TEST(ArbiterPicture, DropsOfferTargetAndHoldingOfADeviceThatWasReplaced) {
  const Machine machine = redirecting_switch();
  ReadyDesk desk(machine);
  const auto holding = desk.hold();
  desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();
  desk.becomes(machine);
  ASSERT_TRUE(desk.kernel.empty()) << "nothing was replaced";
  ASSERT_EQ(desk.state().offers.size(), 2U);

  // What the daemon shows when a remove and an add came at once.
  desk.becomes(without(without(without(machine, initiator), other_initiator), "0000:04:00.0"));
  desk.becomes(machine);
  desk.kernel_works();
  EXPECT_TRUE(desk.state().offers.empty());
  EXPECT_TRUE(desk.state().targets.empty());
  EXPECT_TRUE(desk.state().holdings.empty());
}

TEST(ArbiterPicture, EnablesNothingOnADeviceThatWasReplacedWhileItWasOpened) {
  const Machine machine = redirecting_switch();
  Desk desk(machine);
  const auto enabled = desk.enable(peer_name);
  desk.becomes(without(machine, "0000:04:00.0"));
  desk.becomes(machine);
  EXPECT_EQ(desk.error(desk.enable("0000:04:00.0:2:0x0+0x1000")), ErrorCode::busy) << "not on what is about to be closed";
  desk.kernel_works();
  EXPECT_EQ(desk.error(enabled), ErrorCode::gone);
  EXPECT_TRUE(desk.state().targets.empty());

  const auto again = desk.enable(peer_name);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(again));
}

TEST(ArbiterPicture, RevokesWhatReachesAFunctionThatSomebodyGaveADriver) {
  Desk desk(open_switch("vfio-pci"));
  desk.offer(initiator);
  const auto acquired = desk.acquire(caller(alice), initiator);
  desk.kernel_works();
  const auto holding = desk.holding(acquired);
  desk.becomes(open_switch(""));
  ASSERT_TRUE(desk.told.empty()) << "a function without a driver does nothing";

  desk.becomes(open_switch("nvme"));
  ASSERT_EQ(desk.told.size(), 1U);
  EXPECT_EQ(desk.told[0].grant, GrantId{holding});
  EXPECT_EQ(desk.told[0].what, Tell::What::revoked);
  EXPECT_EQ(desk.told[0].reason, RevokeReason::device_wanted);
  EXPECT_TRUE(desk.has_noted(Journal::What::revoked, "0000:04:00.0 with driver nvme [reach-not-owned]"));
  desk.becomes(open_switch("nvme"));
  EXPECT_EQ(desk.told.size(), 1U) << "once";
  desk.kernel_works();
  EXPECT_TRUE(desk.state().holdings.empty());
}

TEST(ArbiterPicture, LeavesToRootWhatRootMayHave) {
  Desk desk(open_switch("vfio-pci"));
  desk.offer(initiator);
  desk.acquire(caller(0), initiator);
  desk.kernel_works();
  desk.becomes(open_switch("nvme"));
  EXPECT_TRUE(desk.told.empty());
  EXPECT_EQ(desk.state().holdings.size(), 1U);
}

TEST(ArbiterPicture, RevokesAHoldingThatIsBeingOpenedToo) {
  Desk desk(open_switch("vfio-pci"));
  desk.offer(initiator);
  const auto acquired = desk.acquire(caller(alice), initiator);
  desk.becomes(open_switch("nvme"));
  desk.kernel_works();
  EXPECT_EQ(desk.error(acquired), ErrorCode::gone);
  EXPECT_TRUE(desk.state().holdings.empty());
}

TEST(ArbiterPicture, RevokesWhenAPortLetsRequestsTurnThatItSentUpBefore) {
  const Machine machine = changed(redirecting_switch(), "0000:04:00.0", driver("nvme"));
  Desk desk(machine);
  desk.offer(initiator);
  desk.acquire(caller(alice), initiator);
  desk.kernel_works();
  ASSERT_EQ(desk.state().holdings.size(), 1U) << "ACS keeps it away from the disk";
  desk.becomes(changed(machine, "0000:02:00.0", acs_clear));
  EXPECT_EQ(desk.waiting<CloseHolding>(), 1U);
}

TEST(ArbiterPicture, DropsATargetWhoseFunctionLeftVfio) {
  const Machine machine = redirecting_switch();
  ReadyDesk desk(machine);
  desk.map(caller(alice), desk.hold(), peer_name);
  desk.kernel_works();
  desk.becomes(changed(machine, "0000:04:00.0", driver("")));
  ASSERT_EQ(desk.told.size(), 1U);
  EXPECT_EQ(desk.told[0].reason, RevokeReason::device_wanted);
  desk.kernel_works();
  EXPECT_TRUE(desk.state().targets.empty());
  EXPECT_TRUE(desk.state().mappings.empty());
  EXPECT_EQ(desk.state().holdings.size(), 1U);
}

TEST(ArbiterPicture, RevokesAMappingWhoseCookieCameToLieInABridgeWindow) {
  const Machine machine = redirecting_switch();
  ReadyDesk desk(machine);
  const auto holding = desk.hold();
  const auto mapped = desk.map(caller(alice), holding, peer_name);
  const auto memory = desk.map_memory(caller(alice), holding, 4_KiB);
  desk.kernel_works();
  const auto cookie = desk.peer(mapped).cookie;
  ASSERT_NE(cookie.value >> 20, desk.memory(memory).iova.value >> 20);
  const auto window_at = [](std::uint64_t begin) {
    return [=](Function& bridge) { bridge.bridge->prefetchable = make_range(BusAddress{begin}, Bytes{1_MiB}); };
  };
  desk.becomes(changed(machine, "0000:00:02.0", window_at(0x900000000000)));
  ASSERT_TRUE(desk.told.empty());

  desk.becomes(changed(machine, "0000:00:02.0", window_at(cookie.value & ~(1_MiB - 1))));
  ASSERT_EQ(desk.told.size(), 1U);
  EXPECT_EQ(desk.told[0].grant, GrantId{desk.peer(mapped).mapping});
  EXPECT_EQ(desk.told[0].reason, RevokeReason::device_wanted);
  EXPECT_TRUE(desk.has_noted(Journal::What::revoked, "bridge window"));
  desk.kernel_works();
  EXPECT_EQ(desk.state().mappings.size(), 1U) << "the other one lies elsewhere";
}

TEST(ArbiterPicture, RevokesASwitchRouteWhoseTargetMoved) {
  const Machine machine = plain_switch();
  ReadyDesk desk(machine);
  auto permitted = caller(alice);
  permitted.granted.insert(Action::switch_route);
  const auto mapped = desk.map(permitted, desk.hold(permitted), peer_name);
  desk.kernel_works();
  desk.becomes(changed(machine, initiator, asleep));
  ASSERT_TRUE(desk.told.empty()) << "its cookie lies in a window by nature";

  desk.becomes(changed(machine, "0000:04:00.0", change_bar(2, [](Bar& bar) { bar.bus_address = BusAddress{0x900000000000}; })));
  ASSERT_EQ(desk.told.size(), 1U);
  EXPECT_EQ(desk.told[0].grant, GrantId{desk.peer(mapped).mapping});
}

// Whatever drivers come and go: a grant that is there afterwards is one that could be made.
RC_GTEST_PROP(ArbiterPicture, LeavesNobodyWithinReachOfADriver, ()) {
  const auto any_driver = [] { return *rc::gen::element<std::string>("", "vfio-pci", "nvme"); };
  const auto any_acs = [] { return *rc::gen::element<std::uint16_t>(0, 0x1d); };
  Machine machine = redirecting_switch();
  Desk desk(machine);
  for (const auto* address : {initiator, other_initiator}) {
    desk.offer(address);
    desk.acquire(caller(alice), address);
  }
  desk.kernel_works();
  RC_ASSERT(desk.state().holdings.size() == 2U);
  for (int count = *rc::gen::inRange(1, 4); count > 0; --count) {
    for (const auto* address : {"0000:03:00.0", "0000:04:00.0", "0000:05:00.0"})
      machine = changed(machine, address, driver(any_driver()));
    for (const auto* port : {"0000:02:00.0", "0000:02:01.0", "0000:02:02.0"}) machine = changed(machine, port, acs(any_acs()));
    desk.becomes(machine);
    desk.kernel_works();
  }
  for (const auto& [id, holding] : desk.state().holdings) {
    const auto& function = *machine.find(holding.initiator);
    // What is being unbound has until a deadline.
    RC_ASSERT(function.driver == "vfio-pci" || (function.driver.empty() && holding.phase == GrantPhase::revoking));
    for (const auto& address : reach_set(machine, function).functions) RC_ASSERT(!is_driven(*machine.find(address)));
  }
}

}  // namespace

}  // namespace p2pd::test
