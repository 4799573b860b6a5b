// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The route rule, paragraph by paragraph of docs/verdict.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verdict/route.h"
#include "verdict_pair.h"

namespace p2pd::test {

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr auto yes = Answer::yes;
constexpr auto no = Answer::no;
constexpr auto unknown = Answer::unknown;
constexpr std::uint16_t up = Acs::upstream_forwarding;
constexpr std::uint16_t rr = Acs::request_redirect;
constexpr std::uint16_t cr = Acs::completion_redirect;

struct Ports {
  Change initiators = acs_clear;
  Change targets = acs_clear;
  Change above = acs_redirect;  // the root port
  Change initiator = [](Function&) {};
};

// One switch; on a client chip unless said otherwise: nobody vouches for its root complex.
MachineBuilder a_switch_with(const Ports& ports) {
  return a_machine().on(intel).with(
      a_host_bridge("0000:00:00.0", 0x8086, 0x29c0),
      a_root_port("0000:00:02.0")
          .with(ports.above,
                a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0").with(ports.initiators, an_endpoint("0000:03:00.0").with(ports.initiator)),
                          a_port("0000:02:01.0").with(ports.targets, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))))));
}

Verdict asked(const Machine& machine, Access access = Access::read_write) {
  return judge(machine, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:2"), {.access = access});
}

TEST(RouteRule, CountsAcsWhereThePathsPartAndNowhereElse) {
  // The inner ports redirect; what comes up to them goes on up anyway, and the outer ports let it turn.
  const Machine nested = a_machine().on(intel).with(
      a_host_bridge("0000:00:00.0", 0x8086, 0x29c0),
      a_root_port("0000:00:02.0")
          .with(a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0")
                              .with(acs_clear, a_switch("0000:05:00.0")
                                                   .with(a_port("0000:06:00.0").with(acs_redirect, an_endpoint("0000:03:00.0")))),
                          a_port("0000:02:01.0")
                              .with(acs_clear,
                                    a_switch("0000:07:00.0")
                                        .with(a_port("0000:08:00.0")
                                                  .with(acs_redirect, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))))))));
  const auto verdict = asked(nested);
  EXPECT_EQ(verdict.route, Route::switched);
  EXPECT_EQ(verdict.answer, yes);
  EXPECT_EQ(verdict.decided_by, Rule::route);
  EXPECT_EQ(verdict.kernel.map_type, KernelRule::MapType::not_supported);
  EXPECT_THAT(verdict.notes, Contains(StartsWith("rules-differ: ")));
}

TEST(RouteRule, NeedsNoRedirectOfRequestsAtTheInitiatorsSideAndNoneOfCompletionsAtTheTargets) {
  EXPECT_EQ(asked(a_switch_with({.initiators = acs(cr), .targets = acs(rr)})).route, Route::switched);
  EXPECT_EQ(asked(a_switch_with({.initiators = acs(rr)})).route, Route::none);
  EXPECT_EQ(asked(a_switch_with({.targets = acs(cr)})).route, Route::none);
}

TEST(RouteRule, TellsWritesFromReads) {
  const auto machine = a_switch_with({.targets = acs(cr)});
  const auto both = asked(machine);
  EXPECT_EQ(both.directions, (Directions{.writes = yes, .reads = unknown, .translated = unknown}));
  EXPECT_THAT(codes(both), ElementsAre("acs-redirect-no-root-complex"));
  EXPECT_EQ(both.answer, unknown);

  const auto write = asked(machine, Access::write);
  EXPECT_EQ(write.route, Route::switched);
  EXPECT_EQ(write.answer, yes);
  EXPECT_EQ(asked(a_switch_with({.targets = acs(cr)}).on(epyc)).route, Route::root_complex);
}

TEST(RouteRule, SendsUpWhatIsRedirected) {
  const auto verdict = asked(a_switch_with({.initiators = acs_redirect, .targets = acs_redirect}).on(epyc));
  EXPECT_EQ(verdict.route, Route::root_complex);
  EXPECT_EQ(verdict.directions, (Directions{.writes = yes, .reads = yes, .translated = yes}));
}

Change egress(std::uint16_t more, std::uint32_t vector) {
  return [=](Function& function) {
    acs(static_cast<std::uint16_t>(Acs::egress_control | up | more))(function);
    function.acs.egress = {vector};
    function.port_number = 1;
  };
}
void number_two(Function& function) {
  acs_clear(function);
  function.port_number = 2;
}

TEST(RouteRule, ReadsTheEgressControlVector) {
  const auto with = [](std::uint16_t more, std::uint32_t vector) {
    return asked(a_switch_with({.initiators = egress(more, vector), .targets = number_two}));
  };
  EXPECT_EQ(with(0, 0b011).route, Route::switched);
  EXPECT_EQ(with(rr, 0b011).route, Route::switched);
  EXPECT_THAT(codes(with(0, 0b100)), ElementsAre("egress-control"));
  EXPECT_EQ(with(0, 0b100).possible, no);
  EXPECT_EQ(with(0, 0b100).directions.writes, no);
  EXPECT_THAT(codes(with(rr, 0b100)), ElementsAre("acs-redirect-no-root-complex"));
}

TEST(RouteRule, DoesNotGuessWhatAnEgressControlVectorSaysOfAPortWithoutANumber) {
  const auto verdict = asked(a_switch_with({.initiators = egress(0, 0)}));
  EXPECT_THAT(codes(verdict), ElementsAre("egress-control"));
  EXPECT_EQ(verdict.possible, unknown);
}

TEST(RouteRule, TakesAPortThatCannotRedirectForOneThatMayDoSoByItsWiring) {
  const auto verdict = asked(a_switch_with({.initiators = acs(0, Acs::source_validation)}));
  EXPECT_THAT(codes(verdict), ElementsAre("acs-unknown"));
  EXPECT_EQ(verdict.possible, unknown);
  EXPECT_EQ(asked(a_switch_with({.initiators = acs_absent, .targets = acs_absent})).route, Route::switched);
}

TEST(RouteRule, LetsTranslatedRequestsPassWhereDirectTranslatedIsOnAndNoneIsBlocked) {
  const auto translated = [](std::uint16_t control) {
    return asked(a_switch_with({.initiators = acs(control)})).directions.translated;
  };
  EXPECT_EQ(translated(0), yes);
  EXPECT_EQ(translated(rr | up), unknown);
  EXPECT_EQ(translated(rr | up | Acs::direct_translated), yes);
  EXPECT_EQ(translated(rr | up | Acs::direct_translated | Acs::translation_blocking), no);
}

void with_ats(Function& function) { function.ats_enabled = true; }

TEST(RouteRule, AsksOfAnInitiatorWithAtsThatItsTranslatedRequestsGetThere) {
  const auto redirecting = [](std::uint16_t more) {
    const auto port = acs(static_cast<std::uint16_t>(rr | cr | up | more));
    return codes(asked(a_switch_with({.initiators = port, .targets = port, .initiator = with_ats}).on(epyc)));
  };
  EXPECT_THAT(redirecting(0), ElementsAre("ats-enabled"));
  EXPECT_THAT(redirecting(Acs::translation_blocking), ElementsAre("translation-blocked", "ats-enabled"));
}

TEST(RouteRule, GivesNoBusAddressToAnInitiatorWithAts) {
  const Machine machine = a_switch_with({.initiator = with_ats});
  const auto blockers = asked(machine).blockers;
  ASSERT_THAT(codes(asked(machine)), ElementsAre("ats-bus-address", "ats-enabled"));
  EXPECT_FALSE(blockers.front().is_certain);

  auto functions = machine.functions();
  for (auto& function : functions)
    for (auto& bar : function.bars) bar.cpu_address = CpuAddress{bar.bus_address->value + 0x1'0000'0000};
  EXPECT_TRUE(asked({machine.host(), functions}).blockers.front().is_certain);
}

MachineBuilder one_device(const Change& own, const Change& port = acs_redirect) {
  return a_machine().on(intel).with(a_host_bridge("0000:00:00.0", 0x8086, 0x29c0),
                                    a_root_port("0000:00:02.0")
                                        .with(port, an_endpoint("0000:03:00.0").with(multifunction, own),
                                              an_endpoint("0000:03:00.1").with(multifunction, own, bar(2, 1_MiB))));
}
Verdict asked_of_siblings(const Machine& machine) {
  return judge(machine, shipped_tables(), at("0000:03:00.0"), target("0000:03:00.1:2"));
}

TEST(RouteRule, BelievesADeviceThatItRoutesBetweenItsFunctionsOnlyIfItSaysSo) {
  EXPECT_EQ(asked_of_siblings(one_device(acs_clear)).route, Route::switched);
  for (const auto& own : {Change(acs_absent), acs(0, 0)}) {
    const auto verdict = asked_of_siblings(one_device(own));
    EXPECT_THAT(codes(verdict), ElementsAre("no-internal-route"));
    EXPECT_EQ(verdict.possible, unknown);
    EXPECT_EQ(asked_of_siblings(one_device(own).on(epyc)).route, Route::root_complex);
  }
}

TEST(RouteRule, NeedsUpstreamForwardingOnThePortsThatBothShare) {
  const auto nested = [](const Change& shared) -> Machine {
    return a_machine().on(epyc).with(
        a_root_port("0000:00:02.0")
            .with(acs_redirect,
                  a_switch("0000:01:00.0")
                      .with(a_port("0000:02:00.0")
                                .with(shared,
                                      a_switch("0000:05:00.0")
                                          .with(a_port("0000:06:00.0").with(acs_redirect, an_endpoint("0000:03:00.0")),
                                                a_port("0000:06:01.0")
                                                    .with(acs_redirect, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))))))));
  };
  EXPECT_EQ(asked(nested(acs_redirect)).answer, yes);
  const auto verdict = asked(nested(acs(rr | cr)));
  ASSERT_THAT(codes(verdict), ElementsAre("upstream-forwarding-off"));
  EXPECT_EQ(verdict.possible, no);
  EXPECT_EQ(verdict.blockers.front().where, "0000:02:00.0");
  EXPECT_EQ(verdict.blockers.front().remedy, "pci=config_acs=0011100@0000:02:00.0");
  EXPECT_EQ(asked(nested(acs_unknown)).possible, unknown);
}

TEST(RouteRule, KnowsARootComplexThatForwardsWritesAndNoReads) {
  const Machine machine = a_machine().with(a_root_port("0000:00:02.0").with(an_endpoint("0000:03:00.0")),
                                           a_root_port("0000:00:03.0").with(an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))));
  const auto from = way_up(machine, *machine.find(at("0000:03:00.0")));
  const auto to = way_up(machine, *machine.find(at("0000:04:00.0")));
  const auto path = path_between(from, to);
  const auto ask = [&](Tristate reads, Access access, std::vector<Blocker>& blockers) {
    Findings findings(blockers);
    return find_route({.machine = machine,
                       .initiator = *from.front(),
                       .target = *to.front(),
                       .path = path,
                       .root_complex = {},
                       .forwards = {.writes = Tristate::yes, .reads = reads},
                       .access = access},
                      findings);
  };
  std::vector<Blocker> blockers;
  EXPECT_EQ(ask(Tristate::yes, Access::read_write, blockers).route, Route::root_complex);
  EXPECT_EQ(ask(Tristate::no, Access::write, blockers).route, Route::root_complex);
  EXPECT_THAT(blockers, IsEmpty());
  const auto routing = ask(Tristate::no, Access::read_write, blockers);
  EXPECT_EQ(routing.route, Route::none);
  EXPECT_EQ(routing.directions.writes, yes);
  EXPECT_EQ(routing.directions.reads, no);
  ASSERT_EQ(blockers.size(), 1U);
  EXPECT_EQ(blockers.front().code, "reads-not-forwarded");
  EXPECT_TRUE(blockers.front().is_certain);
  ask(Tristate::unknown, Access::read, blockers);
  EXPECT_FALSE(blockers.back().is_certain);
}

TEST(RedirectRemedy, SaysWhoWouldReachWhat) {
  const auto isolation = asked(a_switch_with({.initiators = acs_redirect, .targets = acs_redirect})).blockers.front().isolation;
  EXPECT_THAT(isolation, HasSubstr("0000:03:00.0 reaches 1 more (0 before, 1 after): 0000:04:00.0"));
}

TEST(RedirectRemedy, IsInTheKernelsOwnWordsAndLeavesOutWhatOnlyP2pdmaCounts) {
  const auto remedy = [](const HostChange& running) {
    return asked(a_switch_with({.initiators = acs(rr | cr | up), .targets = acs(rr | up)}).on(running)).blockers.front().remedy;
  };
  EXPECT_EQ(remedy(kernel("7.3.4")), "pci=config_acs=0010000@0000:02:01.0;0010000@0000:02:00.0");
  EXPECT_EQ(remedy(kernel("6.12.107")), "pci=disable_acs_redir=0000:02:01.0;0000:02:00.0");
  EXPECT_EQ(remedy(kernel("6.1.0", Tristate::no)), "pci=disable_acs_redir=0000:02:01.0;0000:02:00.0");
}

TEST(Remedies, AreOneListWithOneCommandLine) {
  const auto verdict = Pair{
      .host =
          [](HostFacts& host) {
            intel(host);
            host.iommu = Tristate::no;
          },
      .initiator = driver("nvme"),
      .target =
          [](Function& function) {
            function.driver = "nvme";
            function.max_payload = 256;
          }}.judged();
  EXPECT_THAT(verdict.remedies, ElementsAre("intel_iommu=on pci=pcie_bus_peer2peer", "p2p-client bind 0000:03:00.0",
                                            "p2p-client bind 0000:04:00.0"));
}

TEST(Remedies, AreNoneWhereOneIsMissing) {
  const auto verdict = Pair{.initiator = driver("nvme"), .target_name = "0000:04:00.0:2:0xff000+0x2000"}.judged();
  EXPECT_THAT(codes(verdict), ElementsAre("range-outside-bar", "initiator-not-on-vfio-pci"));
  EXPECT_THAT(verdict.remedies, IsEmpty());
  EXPECT_THAT(Pair{}.judged().remedies, IsEmpty());
}

TEST(Notes, TellTheSlowestLinkAndWhetherAtomicsGetThere) {
  const auto linked = [](Link link) {
    return [=](Function& function) {
      function.link = link;
      function.atomic_ops = AtomicOps{.completes = true, .is_requester = true};
    };
  };
  const auto port = [](bool routes) {
    return [=](Function& function) {
      acs_clear(function);
      function.atomic_ops = AtomicOps{.routes = routes};
    };
  };
  const auto notes_with = [&](bool routes) {
    return Pair{.initiator = linked({16000, 16, 16000, 16}), .target = linked({8000, 4, 8000, 4}), .switch_port = port(routes)}
        .judged()
        .notes;
  };
  EXPECT_THAT(notes_with(true), ElementsAre("path-bandwidth: at most 3.93 GB/s each way, by the link 0000:02:01.0 - "
                                            "0000:04:00.0, 8.0 GT/s x4",
                                            "atomics: they get there"));
  EXPECT_THAT(notes_with(false), Contains("atomics: they do not get there: 0000:02:00.0 does not route them"));
}

TEST(Notes, TellAnIdentityDomainAndAnOldKernel) {
  const auto identity = [](Function& function) { function.iommu_type = "identity"; };
  EXPECT_THAT(Pair{.initiator = identity}.judged().notes, ElementsAre(StartsWith("iommu-identity: 0000:03:00.0")));
  EXPECT_THAT(Pair{.host = kernel("5.10.0")}.judged().notes, ElementsAre(StartsWith("rule-older-kernel: ")));
  EXPECT_THAT(Pair{.host = kernel("6.1.0")}.judged().notes, Not(Contains(StartsWith("rule-older-kernel: "))));
}

}  // namespace

}  // namespace p2pd::test
