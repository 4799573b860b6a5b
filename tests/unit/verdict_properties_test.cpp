// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What holds for every machine: drawn trees of switches, drawn ACS.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "drawn_machine.h"
#include "topology/topology.h"
#include "verdict/judge.h"

namespace p2pd::test {

namespace {

Machine with_acs(const Machine& machine, const Address& where, std::uint16_t more) {
  auto functions = machine.functions();
  for (auto& function : functions)
    if (function.address == where) function.acs.control = static_cast<std::uint16_t>(function.acs.control | more);
  return {machine.host(), functions};
}

// Any function that can have ACS; one whose ACS is known, so that setting a bit is the only change.
Address drawn_known_port(const Machine& machine) {
  std::vector<Address> known;
  for (const auto& function : machine.functions())
    if (function.port_type != PortType::conventional && function.acs.state == Acs::State::present)
      known.push_back(function.address);
  RC_PRE(!known.empty());
  return *rc::gen::elementOf(known);
}

std::set<Address> reach(const Machine& machine, const Address& initiator) {
  const auto set = reach_set(machine, *machine.find(initiator));
  return {set.functions.begin(), set.functions.end()};
}

Verdict judged(const Machine& machine, const Address& initiator, const Address& device) {
  return judge(machine, shipped_tables(), initiator, TargetName{device, 0, {}, {}});
}

RC_GTEST_PROP(Distance, IsSymmetric, ()) {
  const auto machine = DrawnTree().machine();
  const auto a = way_up(machine, drawn_function(machine));
  const auto b = way_up(machine, drawn_function(machine));
  const auto there = path_between(a, b);
  const auto back = path_between(b, a);
  RC_ASSERT(there.distance == back.distance);
  RC_ASSERT(there.common == back.common);
  RC_ASSERT(std::equal(there.initiator_arm.begin(), there.initiator_arm.end(), back.target_arm.begin(), back.target_arm.end()));
  RC_ASSERT((there.distance == 0) == (a.front() == b.front()));
}

RC_GTEST_PROP(ReachSet, NeverGrowsWhenARedirectIsSwitchedOn, ()) {
  const auto machine = DrawnTree().machine();
  const auto initiator = drawn_endpoint(machine).address;
  const auto port = drawn_known_port(machine);
  // Egress Control is left out: what its vector lets pass, it lets pass against Request Redirect.
  const auto before = reach(machine, initiator);
  const auto after = reach(with_acs(machine, port, Acs::request_redirect), initiator);
  RC_CLASSIFY(after.size() < before.size(), "smaller");
  RC_ASSERT(std::includes(before.begin(), before.end(), after.begin(), after.end()));
}

RC_GTEST_PROP(ReachSet, IsEmptyWhereEverythingRedirects, ()) {
  auto functions = DrawnTree().machine().functions();
  for (auto& function : functions) acs_redirect(function);
  const Machine machine({}, functions);
  const auto set = reach_set(machine, drawn_endpoint(machine));
  RC_ASSERT(set.functions.empty());
  RC_ASSERT(set.is_complete);
}

// A target that the switch routes to is one that the initiator reaches past the IOMMU, with or without a mapping.
RC_GTEST_PROP(ReachSet, HasEveryTargetOnASwitchRoute, ()) {
  const auto machine = DrawnTree().machine();
  const auto a = drawn_endpoint(machine).address;
  const auto b = drawn_endpoint(machine).address;
  const auto verdict = judged(machine, a, b);
  RC_CLASSIFY(verdict.route == Route::switched, "switched");
  if (verdict.route == Route::switched) RC_ASSERT(reach(machine, a).contains(b));
}

RC_GTEST_PROP(Route, IsNeverMadeASwitchRouteByARedirect, ()) {
  const auto machine = DrawnTree().machine();
  const auto a = drawn_endpoint(machine).address;
  const auto b = drawn_endpoint(machine).address;
  const auto port = drawn_known_port(machine);
  const auto bit = *rc::gen::element<std::uint16_t>(Acs::request_redirect, Acs::completion_redirect, Acs::egress_control);
  const auto before = judged(machine, a, b).route;
  const auto after = judged(with_acs(machine, port, bit), a, b).route;
  RC_CLASSIFY(before == Route::switched && after != Route::switched, "redirected");
  if (before != Route::switched) RC_ASSERT(after != Route::switched);
}

// ACS counts where the paths part: the port (or function) of the initiator's side for requests, of the target's for completions.
RC_GTEST_PROP(Route, IsADirectOneOnlyIfNothingRedirectsWhereThePathsPart, ()) {
  const auto machine = DrawnTree().machine();
  const auto& a = drawn_endpoint(machine);
  const auto& b = drawn_endpoint(machine);
  if (judged(machine, a.address, b.address).route != Route::switched) return;
  const auto from = way_up(machine, a);
  const auto to = way_up(machine, b);
  const auto path = path_between(from, to);
  RC_ASSERT(path.common != nullptr);
  const auto& asks = path.initiator_arm.back()->acs;
  const auto& answers = path.target_arm.back()->acs;
  RC_ASSERT(asks.state != Acs::State::unknown && answers.state != Acs::State::unknown);
  RC_ASSERT((asks.control & (Acs::request_redirect | Acs::egress_control)) == 0);
  RC_ASSERT((answers.control & Acs::completion_redirect) == 0);
}

RC_GTEST_PROP(Answer, IsNeverYesWithoutARouteOrWithSomethingUndecided, ()) {
  const auto machine = DrawnTree().machine();
  const auto verdict = judged(machine, drawn_function(machine).address, drawn_function(machine).address);
  const auto counts = [](const Blocker& blocker) { return blocker.severity != Severity::limit; };
  const auto has_reason = std::any_of(verdict.blockers.begin(), verdict.blockers.end(), counts);
  RC_CLASSIFY(verdict.answer == Answer::yes, "yes");
  RC_ASSERT((verdict.answer == Answer::yes) == !has_reason);
  if (verdict.answer == Answer::yes) RC_ASSERT(verdict.possible == Answer::yes && verdict.route != Route::none);
  if (verdict.route == Route::none) RC_ASSERT(verdict.possible != Answer::yes);
}

// CheckAll and Check must never differ.
RC_GTEST_PROP(Outline, IsWhatTheVerdictComesTo, ()) {
  const auto drawn = DrawnTree().machine();
  auto host = drawn.host();
  auto functions = drawn.functions();
  if (*rc::gen::arbitrary<bool>()) draw_trouble(host, functions);
  // The same once more in another domain.
  if (*rc::gen::arbitrary<bool>()) {
    const auto count = functions.size();
    for (std::size_t i = 0; i < count; ++i) {
      auto twin = functions[i];
      twin.address.domain = twin.root_domain = 1;
      if (twin.parent) twin.parent->domain = 1;
      functions.push_back(std::move(twin));
    }
  }
  const Machine machine(host, std::move(functions));
  const auto bits = *rc::gen::element(64U, 32U, 24U);
  const auto index = *rc::gen::element(0U, 0U, 0U, 1U);
  const Outliner outliner(machine, shipped_tables());
  for (const auto& from : machine.functions()) {
    auto initiator = outliner.initiator(from.address);
    initiator.conclude();
    for (const auto& to : machine.functions()) {
      const TargetName name{to.address, index, {}, {}};
      auto end = outliner.target(name);
      end.conclude();
      const auto verdict = judge(machine, shipped_tables(), from.address, name, {.address_bits = bits});
      const Outline whole{.possible = verdict.possible, .answer = verdict.answer, .route = verdict.route};
      RC_ASSERT(outliner.between(initiator, end, {.address_bits = bits}) == whole);
    }
  }
}

TEST(Outline, OfAFunctionThatIsNotThereIsThatOfItsVerdict) {
  const Machine machine = a_machine().on(epyc).with(an_endpoint("0000:00:01.0").with(bar(0, 4_KiB)));
  const Outliner outliner(machine, shipped_tables());
  const auto nowhere = at("0000:00:02.0");
  const auto outline = outliner.between(outliner.initiator(nowhere), outliner.target({nowhere, 0, {}, {}}));
  const auto verdict = judged(machine, nowhere, nowhere);
  EXPECT_EQ(outline, (Outline{.possible = verdict.possible, .answer = verdict.answer, .route = verdict.route}));
}

}  // namespace

}  // namespace p2pd::test
