// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an initiator reaches past the IOMMU it needs no mapping for: so nobody is lent one that reaches what another user has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arbiter_scene.h"

namespace p2pd::test {

namespace {

using ::testing::HasSubstr;

constexpr auto distant_initiator = "0000:10:00.0";

// The target and an initiator below one switch; the other initiator comes to the target through the root complex.
MachineBuilder beside_the_target(const Change& ports) {
  return a_machine().on(epyc).with(
      a_root_port("0000:00:02.0")
          .with(acs_redirect, a_switch("0000:01:00.0")
                                  .with(a_port("0000:02:01.0").with(ports, an_endpoint("0000:04:00.0").with(big_bar(2, 1_MiB))),
                                        a_port("0000:02:02.0").with(ports, an_endpoint(other_initiator).with(bar(0, 1_MiB))))),
      a_root_port("0000:00:03.0").with(acs_redirect, an_endpoint(distant_initiator).with(bar(0, 1_MiB))));
}

struct Scene : Desk {
  explicit Scene(const Change& ports) : Desk(beside_the_target(ports)) {
    const auto enabled = enable(peer_name);
    kernel_works();
    EXPECT_TRUE(answer(enabled));
    EXPECT_TRUE(answer(offer(other_initiator)));
    EXPECT_TRUE(answer(offer(distant_initiator)));
  }
  RequestId acquired(uid_t who, std::string_view what) {
    auto permitted = caller(who);
    permitted.granted.insert(Action::switch_route);
    const auto request = acquire(permitted, what);
    kernel_works();
    return request;
  }
  RequestId mapped(uid_t who, HoldingId by) {
    const auto request = map(caller(who), by, peer_name);
    kernel_works();
    return request;
  }
};

TEST(ArbiterReach, LendsNobodyAnInitiatorThatReachesWhatAnotherUserHasMapped) {
  Scene desk(acs_clear);
  const auto holding = desk.holding(desk.acquired(alice, distant_initiator));
  ASSERT_TRUE(desk.answer(desk.mapped(alice, holding)));
  const auto refused = desk.acquired(bob, other_initiator);
  ASSERT_EQ(desk.error(refused), ErrorCode::blocked);
  EXPECT_THAT(desk.answer(refused).error().text, HasSubstr("which another user has mapped [reach-not-owned]"));
  EXPECT_TRUE(desk.answer(desk.acquired(alice, other_initiator))) << "her own";
}

TEST(ArbiterReach, NeedsTheActionOfASwitchRouteForAnInitiatorThatNeedsNoMapping) {
  Scene desk(acs_clear);
  const auto refused = desk.acquire(caller(alice), other_initiator);
  ASSERT_EQ(desk.error(refused), ErrorCode::not_permitted);
  EXPECT_THAT(desk.answer(refused).error().text, HasSubstr("0000:04:00.0:2"));
  EXPECT_THAT(desk.answer(refused).error().text, HasSubstr("org.p2pd1.switch-route"));
  EXPECT_TRUE(desk.answer(desk.acquired(alice, other_initiator)));

  Scene apart(acs_redirect);
  const auto lent = apart.acquire(caller(alice), other_initiator);
  apart.kernel_works();
  EXPECT_TRUE(apart.answer(lent));
}

TEST(ArbiterReach, LendsItWhereThePortsRedirect) {
  Scene desk(acs_redirect);
  const auto holding = desk.holding(desk.acquired(alice, distant_initiator));
  ASSERT_TRUE(desk.answer(desk.mapped(alice, holding)));
  EXPECT_TRUE(desk.answer(desk.acquired(bob, other_initiator)));
}

TEST(ArbiterReach, MapsNothingThatAnotherUsersInitiatorReaches) {
  Scene desk(acs_clear);
  ASSERT_TRUE(desk.answer(desk.acquired(bob, other_initiator)));
  const auto holding = desk.holding(desk.acquired(alice, distant_initiator));
  const auto refused = desk.mapped(alice, holding);
  ASSERT_EQ(desk.error(refused), ErrorCode::busy);
  EXPECT_THAT(desk.answer(refused).error().text, HasSubstr("within reach of holding/"));

  Scene apart(acs_redirect);
  ASSERT_TRUE(apart.answer(apart.acquired(bob, other_initiator)));
  EXPECT_TRUE(apart.answer(apart.mapped(alice, apart.holding(apart.acquired(alice, distant_initiator)))));
}

TEST(ArbiterReach, TakesAnInitiatorBackThatComesToReachWhatAnotherUserHasMapped) {
  Scene desk(acs_redirect);
  ASSERT_TRUE(desk.answer(desk.mapped(alice, desk.holding(desk.acquired(alice, distant_initiator)))));
  const auto lent = desk.holding(desk.acquired(bob, other_initiator));
  desk.becomes(beside_the_target(acs_redirect));
  EXPECT_EQ(desk.state().holdings.at(lent).phase, GrantPhase::active);
  desk.becomes(beside_the_target(acs_clear));
  EXPECT_TRUE(desk.has_noted(Journal::What::revoked, "which another user has mapped [reach-not-owned]"));
}

TEST(ArbiterReach, EnablesNothingThatALentInitiatorWouldReachWithoutAGrant) {
  Desk desk(beside_the_target(acs_clear));
  EXPECT_TRUE(desk.answer(desk.offer(other_initiator)));
  const auto lent = desk.acquire(caller(alice), other_initiator);
  desk.kernel_works();
  const auto refused = desk.enable(peer_name);
  ASSERT_EQ(desk.error(refused), ErrorCode::blocked);
  EXPECT_THAT(desk.answer(refused).error().text, HasSubstr("0000:04:00.0:2"));
  EXPECT_THAT(desk.answer(refused).error().text, HasSubstr("within reach of holding/1"));
  EXPECT_THAT(desk.answer(refused).error().text, HasSubstr("[reach-not-owned]"));
  EXPECT_EQ(desk.waiting<OpenTarget>(), 0U);

  desk.release(caller(alice), desk.holding(lent));
  desk.kernel_works();
  const auto enabled = desk.enable(peer_name);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(enabled));
}

TEST(ArbiterReach, EnablesWhatTheOwnerOfTheInitiatorMayReach) {
  for (const auto who : {alice, uid_t{0}}) {
    Desk desk(beside_the_target(acs_clear));
    EXPECT_TRUE(desk.answer(desk.offer(other_initiator)));
    auto permitted = caller(who);
    if (who != 0) permitted.granted.insert(Action::switch_route);
    desk.acquire(permitted, other_initiator);
    desk.kernel_works();
    const auto enabled = desk.enable(peer_name);
    desk.kernel_works();
    EXPECT_TRUE(desk.answer(enabled));
  }
  Desk apart(beside_the_target(acs_redirect));
  EXPECT_TRUE(apart.answer(apart.offer(other_initiator)));
  apart.acquire(caller(alice), other_initiator);
  apart.kernel_works();
  const auto enabled = apart.enable(peer_name);
  apart.kernel_works();
  EXPECT_TRUE(apart.answer(enabled)) << "the ports redirect";
}

// What was plugged in below the switch of a lent initiator.
TEST(ArbiterReach, EnablesNothingThatCameWithinReachOfALentInitiator) {
  const Machine whole = beside_the_target(acs_clear);
  auto functions = whole.functions();
  std::erase_if(functions, [](const Function& function) { return function.address == at("0000:04:00.0"); });
  Desk desk({whole.host(), functions});
  EXPECT_TRUE(desk.answer(desk.offer(other_initiator)));
  const auto lent = desk.acquire(caller(alice), other_initiator);
  desk.kernel_works();
  desk.becomes(whole);
  EXPECT_EQ(desk.state().holdings.at(desk.holding(lent)).phase, GrantPhase::active) << "it is nobody's yet";
  EXPECT_EQ(desk.error(desk.enable(peer_name)), ErrorCode::blocked);
}

TEST(ArbiterReach, TakesAnInitiatorBackThatComesToReachATarget) {
  Scene desk(acs_redirect);
  const auto request = desk.acquire(caller(alice), other_initiator);
  desk.kernel_works();
  const auto lent = desk.holding(request);
  desk.becomes(beside_the_target(acs_redirect));
  EXPECT_EQ(desk.state().holdings.at(lent).phase, GrantPhase::active);
  desk.becomes(beside_the_target(acs_clear));
  EXPECT_TRUE(desk.has_noted(Journal::What::revoked, "0000:04:00.0:2:0x0+0x100000 [reach-not-owned]"));

  Scene permitted(acs_redirect);
  const auto kept = permitted.holding(permitted.acquired(alice, other_initiator));
  permitted.becomes(beside_the_target(acs_clear));
  EXPECT_EQ(permitted.state().holdings.at(kept).phase, GrantPhase::active);
}

// Two initiators: only the port of the first lets requests turn.
MachineBuilder one_way(const Change& first, const Change& second) {
  return a_machine().on(epyc).with(
      a_root_port("0000:00:02.0")
          .with(acs_redirect, a_switch("0000:01:00.0")
                                  .with(a_port("0000:02:00.0").with(first, an_endpoint(initiator).with(bar(0, 1_MiB))),
                                        a_port("0000:02:02.0").with(second, an_endpoint(other_initiator).with(bar(0, 1_MiB))))));
}

TEST(ArbiterReach, LendsNobodyAnInitiatorThatAnothersReaches) {
  const auto second_for = [](const MachineBuilder& machine, uid_t who) {
    Desk desk(machine);
    for (const auto* address : {initiator, other_initiator}) EXPECT_TRUE(desk.answer(desk.offer(address)));
    desk.acquire(caller(alice), initiator);
    desk.kernel_works();
    const auto request = desk.acquire(caller(who), other_initiator);
    desk.kernel_works();
    return desk.error(request);
  };
  EXPECT_EQ(second_for(one_way(acs_clear, acs_redirect), bob), ErrorCode::blocked);
  EXPECT_EQ(second_for(one_way(acs_redirect, acs_redirect), bob), std::nullopt);
  EXPECT_EQ(second_for(one_way(acs_clear, acs_redirect), alice), std::nullopt) << "her own";
}

TEST(ArbiterReach, TakesAnInitiatorBackThatComesToReachAnothers) {
  Desk desk(one_way(acs_redirect, acs_redirect));
  for (const auto* address : {initiator, other_initiator}) EXPECT_TRUE(desk.answer(desk.offer(address)));
  desk.acquire(caller(alice), initiator);
  desk.acquire(caller(bob), other_initiator);
  desk.kernel_works();
  desk.becomes(one_way(acs_redirect, acs_redirect));
  ASSERT_TRUE(desk.told.empty());
  desk.becomes(one_way(acs_clear, acs_redirect));
  ASSERT_EQ(desk.told.size(), 1U);
  EXPECT_EQ(desk.told[0].grant, (GrantId{HoldingId{1}}));
  EXPECT_TRUE(desk.has_noted(Journal::What::revoked, "which is lent to another user [reach-not-owned]"));
}

}  // namespace

}  // namespace p2pd::test
