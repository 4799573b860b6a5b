// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The kernel's rule, case by case: docs/verdict.md and p2pdma.c calc_map_type_and_dist.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builders.h"
#include "verdict/judge.h"

namespace p2pd::test {

namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using MapType = KernelRule::MapType;

Node an_initiator() { return an_endpoint("0000:03:00.0").with(bar(0, 4_KiB)); }
Node a_target() { return an_endpoint("0000:04:00.0").with(bar(2, 1_MiB)); }
constexpr auto the_target = "0000:04:00.0:2";

// What root_ports() and a_switched_pair() are known by: a client chip that is in no list.
Node unlisted_bridge() { return a_host_bridge("0000:00:00.0", 0x8086, 0x29c0); }

MachineBuilder a_switched_pair(const Change& initiators_port, const Change& targets_port, const Change& upstream = acs_clear) {
  return a_machine().with(
      unlisted_bridge(), a_root_port("0000:00:02.0")
                             .with(acs_redirect, a_switch("0000:01:00.0")
                                                     .with(upstream, a_port("0000:02:00.0").with(initiators_port, an_initiator()),
                                                           a_port("0000:02:01.0").with(targets_port, a_target()))));
}

MachineBuilder root_ports(Node host_bridge) {
  return a_machine().with(host_bridge, a_root_port("0000:00:02.0").with(acs_redirect, an_initiator()),
                          a_root_port("0000:00:03.0").with(acs_redirect, a_target()));
}

// Two functions of one endpoint below a root port, each with an ACS register of its own.
MachineBuilder one_endpoint(const Change& root_port, const Change& initiators_own, const Change& targets_own) {
  return a_machine().with(unlisted_bridge(),
                          a_root_port("0000:00:02.0")
                              .with(root_port, an_endpoint("0000:04:00.1").with(multifunction, initiators_own),
                                    an_endpoint("0000:04:00.0").with(multifunction, targets_own, bar(2, 1_MiB))));
}

Verdict judged(const Machine& machine, std::string_view initiator = "0000:03:00.0", std::string_view name = the_target) {
  return judge(machine, shipped_tables(), at(initiator), target(name));
}

struct Case {
  const char* what;
  MachineBuilder machine;
  const char* initiator;
  MapType map_type;
  unsigned distance;
  Route route;
};

class KernelRuleCase : public ::testing::TestWithParam<Case> {};

TEST_P(KernelRuleCase, IsDecidedAsP2pdmaDecidesIt) {
  const auto verdict = judged(GetParam().machine, GetParam().initiator);
  EXPECT_EQ(verdict.kernel.map_type, GetParam().map_type);
  EXPECT_EQ(verdict.kernel.distance, GetParam().distance);
  EXPECT_EQ(verdict.route, GetParam().route);
}

INSTANTIATE_TEST_SUITE_P(
    Verdict, KernelRuleCase,
    ::testing::Values(
        Case{"ASwitchWithoutRedirect", a_switched_pair(acs_clear, acs_clear).on(intel), "0000:03:00.0", MapType::bus_address, 4,
             Route::switched},
        Case{"ASwitchWithoutAcs", a_switched_pair(acs_absent, acs_absent).on(hygon), "0000:03:00.0", MapType::bus_address, 4,
             Route::switched},
        Case{"RedirectAtTheInitiatorsPort", a_switched_pair(acs_redirect, acs_clear).on(intel), "0000:03:00.0",
             MapType::not_supported, 4, Route::none},
        Case{"RedirectAtTheTargetsPort", a_switched_pair(acs_clear, acs_redirect).on(intel), "0000:03:00.0",
             MapType::not_supported, 4, Route::none},
        // Tested before it is compared: the common bridge counts too.
        Case{"RedirectAtTheCommonBridge", a_switched_pair(acs_clear, acs_clear, acs_redirect).on(intel), "0000:03:00.0",
             MapType::not_supported, 4, Route::switched},
        Case{"CompletionRedirectAlone", a_switched_pair(acs(Acs::completion_redirect), acs_clear).on(intel), "0000:03:00.0",
             MapType::not_supported, 4, Route::switched},
        Case{"EgressControlAlone", a_switched_pair(acs(Acs::egress_control), acs_clear).on(intel), "0000:03:00.0",
             MapType::not_supported, 4, Route::none},
        Case{
            "OtherAcsBitsAreNoRedirect",
            a_switched_pair(acs(Acs::source_validation | Acs::upstream_forwarding | Acs::direct_translated), acs_clear).on(intel),
            "0000:03:00.0", MapType::bus_address, 4, Route::switched},
        Case{"RedirectAboveTheCommonBridgeDoesNotCount", a_switched_pair(acs_clear, acs_clear).on(hygon), "0000:03:00.0",
             MapType::bus_address, 4, Route::switched},
        Case{"RedirectOnEpyc", a_switched_pair(acs_redirect, acs_redirect).on(epyc), "0000:03:00.0", MapType::through_host_bridge,
             4, Route::root_complex},
        Case{"RedirectOnHygon", a_switched_pair(acs_redirect, acs_redirect).on(hygon), "0000:03:00.0", MapType::not_supported, 4,
             Route::none},
        Case{"RootPortsOnEpyc", root_ports(unlisted_bridge()).on(epyc), "0000:03:00.0", MapType::through_host_bridge, 4,
             Route::root_complex},
        Case{"RootPortsOnHygon", root_ports(unlisted_bridge()).on(hygon), "0000:03:00.0", MapType::not_supported, 4, Route::none},
        Case{"RootPortsOnSkylake", root_ports(a_host_bridge("0000:00:00.0", 0x8086, 0x2020)).on(intel), "0000:03:00.0",
             MapType::through_host_bridge, 4, Route::root_complex},
        Case{"RootPortsOnAClientChip", root_ports(unlisted_bridge()).on(intel), "0000:03:00.0", MapType::not_supported, 4,
             Route::none},
        Case{"TwoFunctionsOfOneEndpoint", one_endpoint(acs_clear, acs_clear, acs_clear).on(intel), "0000:04:00.1",
             MapType::bus_address, 2, Route::switched},
        Case{"TheirRootPortRedirects", one_endpoint(acs_redirect, acs_clear, acs_clear).on(intel), "0000:04:00.1",
             MapType::not_supported, 2, Route::switched},
        Case{"TheInitiatorRedirectsItself", one_endpoint(acs_clear, acs_redirect, acs_clear).on(intel), "0000:04:00.1",
             MapType::not_supported, 2, Route::none},
        Case{"TheTargetRedirectsItself", one_endpoint(acs_clear, acs_clear, acs_redirect).on(intel), "0000:04:00.1",
             MapType::not_supported, 2, Route::none},
        Case{"SameFunction", one_endpoint(acs_redirect, acs_redirect, acs_clear).on(intel), "0000:04:00.0", MapType::bus_address,
             0, Route::local},
        // The kernel's flaw: a function with redirect bits of its own is sent through the host bridge to itself.
        Case{"SameFunctionThatRedirects", one_endpoint(acs_clear, acs_clear, acs_redirect).on(epyc), "0000:04:00.0",
             MapType::through_host_bridge, 0, Route::local},
        Case{"SameFunctionThatRedirectsOnAClientChip", one_endpoint(acs_clear, acs_clear, acs_redirect).on(intel), "0000:04:00.0",
             MapType::not_supported, 0, Route::local}),
    [](const auto& test) { return test.param.what; });

TEST(KernelRuleVerdict, SeesARedirectInsideNestedSwitches) {
  const auto nested = [](const Change& inner_upstream) {
    return a_machine().on(intel).with(
        unlisted_bridge(),
        a_root_port("0000:00:02.0")
            .with(a_switch("0000:01:00.0")
                      .with(a_port("0000:02:00.0").with(an_initiator()),
                            a_port("0000:02:01.0")
                                .with(a_switch("0000:05:00.0").with(inner_upstream, a_port("0000:06:00.0").with(a_target()))))));
  };
  const auto allowed = judged(nested(acs_clear));
  EXPECT_EQ(allowed.kernel.map_type, MapType::bus_address);
  EXPECT_EQ(allowed.kernel.distance, 6U);
  EXPECT_EQ(judged(nested(acs_redirect)).kernel.map_type, MapType::not_supported);
}

TEST(KernelRuleVerdict, IsUnknownWhereAcsCouldNotBeRead) {
  const auto verdict = judged(a_switched_pair(acs_unknown, acs_clear).on(epyc));
  EXPECT_EQ(verdict.kernel.map_type, MapType::unknown);
  EXPECT_EQ(verdict.route, Route::none);
  EXPECT_EQ(verdict.possible, Answer::unknown);
}

TEST(KernelRuleVerdict, NeedsNoUnreadAcsWhereAnotherPortRedirectsForSure) {
  EXPECT_EQ(judged(a_switched_pair(acs_unknown, acs_redirect).on(epyc)).kernel.map_type, MapType::through_host_bridge);
}

TEST(KernelRuleVerdict, DoesNotCompareDomainsButTheRouteDoes) {
  const Machine machine =
      a_machine().on(epyc).with(a_root_port("0000:00:02.0").with(an_initiator()),
                                a_root_port("10000:00:02.0").with(an_endpoint("10000:01:00.0").with(bar(0, 4_KiB))));
  const auto verdict = judged(machine, "0000:03:00.0", "10000:01:00.0:0");
  EXPECT_EQ(verdict.kernel.map_type, MapType::through_host_bridge);
  EXPECT_EQ(verdict.route, Route::none);
  EXPECT_EQ(verdict.possible, Answer::no);
}

TEST(KernelRuleVerdict, KeepsTheBlanketYesInAGuestButTheRouteDoesNot) {
  const auto pair = root_ports(unlisted_bridge()).on(epyc);
  EXPECT_EQ(judged(pair).route, Route::root_complex);
  const auto verdict = judged(pair.on(virtualization("kvm")));
  EXPECT_EQ(verdict.kernel.map_type, MapType::through_host_bridge);
  EXPECT_EQ(verdict.route, Route::none);
  EXPECT_EQ(verdict.possible, Answer::unknown);
}

TEST(KernelRuleVerdict, IsNoWhereTheListSaysBelowOneHostBridgeOnly) {
  const auto verdict = judged(
      a_machine().on(intel).with(a_host_bridge("0000:00:00.0", 0x8086, 0x3c00), a_host_bridge("0000:80:00.0", 0x8086, 0x3c00),
                                 a_root_port("0000:00:02.0").with(an_initiator()), a_root_port("0000:80:02.0").with(a_target())));
  EXPECT_EQ(verdict.kernel.map_type, MapType::not_supported);
  EXPECT_EQ(verdict.possible, Answer::no);
}

TEST(KernelRuleVerdict, IsShownButNotPresentOnAKernelWithoutP2pdma) {
  const auto verdict = judged(root_ports(unlisted_bridge()).on(kernel("6.1.0-28-amd64", Tristate::no)));
  EXPECT_EQ(verdict.kernel.present, Tristate::no);
  EXPECT_EQ(verdict.kernel.map_type, MapType::through_host_bridge);
  EXPECT_EQ(verdict.kernel.table, "6.1");
  EXPECT_EQ(verdict.answer, Answer::yes);
}

TEST(KernelRuleVerdict, TakesTheListOfTheRunningKernel) {
  const auto vera =
      root_ports(a_host_bridge("0000:00:00.0", 0x10de, 0x2f95)).on([](HostFacts& host) { host.cpu_vendor = "ARM"; });
  EXPECT_EQ(judged(vera.on(kernel("7.2.8"))).kernel.map_type, MapType::not_supported);
  const auto with = judged(vera.on(kernel("7.3.4")));
  EXPECT_EQ(with.kernel.map_type, MapType::through_host_bridge);
  EXPECT_THAT(with.notes, IsEmpty());
}

TEST(KernelRuleVerdict, TakesTheNewestListForANewerKernelAndSaysSo) {
  const auto verdict = judged(root_ports(unlisted_bridge()).on(kernel("7.4.1")));
  EXPECT_EQ(verdict.kernel.table, "7.3");
  EXPECT_THAT(verdict.notes, Contains(StartsWith("rule-newer-kernel: ")));
  EXPECT_THAT(judged(root_ports(unlisted_bridge()).on(kernel(""))).notes, Contains(StartsWith("kernel-release-unknown: ")));
}

// Only of host bridges the newest list counts, whatever kernel runs.
TEST(RouteRuleVerdict, TakesEntriesOfTheRunningKernel) {
  const About until_7_2{.what = "tried", .source = "a test", .place = "own.toml:1", .since = 0, .until = 7002};
  const auto skylakes = root_ports(a_host_bridge("0000:00:00.0", 0x8086, 0x2020)).on(intel);
  const auto on = [](const MachineBuilder& machine, const PlatformTables& tables, const char* release) {
    return judge(machine.on(kernel(release)), tables, at("0000:03:00.0"), target(the_target));
  };
  auto reads = shipped_tables();
  reads.root_complexes = {{.host_bridges = {{0x8086, 0x2020, 0x2020}},
                           .writes = Tristate::yes,
                           .reads = Tristate::no,
                           .between_domains = false,
                           .about = until_7_2}};
  EXPECT_EQ(on(skylakes, reads, "6.12.7").answer, Answer::no);
  EXPECT_EQ(on(skylakes, reads, "7.3.4").answer, Answer::yes);
  EXPECT_EQ(on(skylakes, reads, "7.4.1").answer, Answer::yes);

  auto closed = shipped_tables();
  const Which ports{.ids = {{0x1d1d, 1, 1}}, .port_types = {PortType::root_port}};
  closed.isolated_ports = {{.which = ports, .has_no_peers = true, .about = until_7_2}};
  EXPECT_EQ(on(skylakes, closed, "6.12.7").answer, Answer::no);
  EXPECT_EQ(on(skylakes, closed, "7.3.4").answer, Answer::yes);

  auto cpus = shipped_tables();
  cpus.cpus.front().about.until = 7002;
  const auto zens = root_ports(unlisted_bridge()).on(epyc);
  EXPECT_EQ(on(zens, cpus, "6.12.7").answer, Answer::yes);
  EXPECT_EQ(on(zens, cpus, "7.3.4").answer, Answer::unknown);
  EXPECT_EQ(on(zens, cpus, "7.3.4").kernel.map_type, MapType::not_supported);

  auto narrow = shipped_tables();
  auto since_7_4 = until_7_2;
  since_7_4.since = 7004;
  since_7_4.until = 0;
  narrow.initiators = {{.which = {.ids = {{0x1d1d, 1, 1}}, .port_types = {}}, .address_bits = 16, .about = since_7_4}};
  for (const auto& [release, answer] : {std::pair{"7.3.4", Answer::yes}, {"7.4.1", Answer::no}}) {
    EXPECT_EQ(on(zens, narrow, release).answer, answer);
    const Machine machine = zens.on(kernel(release));
    EXPECT_EQ(Outliner(machine, narrow).initiator(at("0000:03:00.0")).address_bits, answer == Answer::yes ? 64U : 16U);
  }
}

TEST(RedirectBlocker, NamesEveryRedirectingFunctionWithItsControlWordAndTheBootArgument) {
  const auto verdict = judged(a_switched_pair(acs_redirect, acs(Acs::request_redirect)).on(intel));
  ASSERT_EQ(verdict.blockers.size(), 1U);
  const auto& blocker = verdict.blockers.front();
  EXPECT_EQ(blocker.code, "acs-redirect-no-root-complex");
  EXPECT_EQ(blocker.where, "0000:02:01.0, 0000:02:00.0");
  EXPECT_THAT(blocker.observed, ::testing::HasSubstr("0000:02:01.0 ACS control 0x0004 (RR)"));
  EXPECT_THAT(blocker.observed, ::testing::HasSubstr("0000:02:00.0 ACS control 0x001d (RR CR)"));
  EXPECT_THAT(blocker.observed, ::testing::HasSubstr("8086:29c0"));
  EXPECT_EQ(blocker.remedy, "pci=config_acs=0000000@0000:02:01.0;0010001@0000:02:00.0");
  EXPECT_THAT(blocker.isolation, Not(IsEmpty()));
}

// The same machine booted with the argument of the remedy.
TEST(RedirectBlocker, IsGoneWhenItsRemedyIsFollowed) {
  EXPECT_NE(judged(a_switched_pair(acs_redirect, acs_redirect).on(intel)).answer, Answer::yes);
  constexpr std::uint16_t without_redirect = 0x1d & ~(Acs::request_redirect | Acs::completion_redirect | Acs::egress_control);
  const auto verdict = judged(a_switched_pair(acs(without_redirect), acs(without_redirect)).on(intel));
  EXPECT_EQ(verdict.answer, Answer::yes);
  EXPECT_EQ(verdict.route, Route::switched);
}

// In no list is "not known to work": neither yes nor no.
TEST(RootComplexBlocker, IsUndecidedWhereTheRootComplexIsInNoList) {
  for (const auto& pair : {root_ports(unlisted_bridge()), a_switched_pair(acs_redirect, acs_redirect)}) {
    const auto verdict = judged(pair.on(intel));
    ASSERT_EQ(verdict.blockers.size(), 1U);
    EXPECT_FALSE(verdict.blockers.front().is_certain);
    EXPECT_EQ(verdict.possible, Answer::unknown);
    EXPECT_EQ(verdict.answer, Answer::unknown);
  }
}

}  // namespace

}  // namespace p2pd::test
