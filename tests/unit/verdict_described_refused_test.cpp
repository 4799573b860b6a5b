// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a description does not open: what goes up to a root complex that is known to refuse. And what it does not hide.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verdict_pair.h"

namespace p2pd::test {

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr Tristate yes = Tristate::yes;
constexpr Tristate no = Tristate::no;
constexpr Tristate unknown = Tristate::unknown;
constexpr Reach both{.writes = yes, .reads = yes};

Verdict described(const Machine& machine, Reach reach, std::string_view initiator, std::string_view name,
                  Access access = Access::read_write) {
  auto tables = shipped_tables();
  const auto named = target(name);
  tables.peers = {{.source = "peers.toml",
                   .peers = {Peer::of(*machine.find(at(initiator))), Peer::of(*machine.find(named.device))},
                   .reach = {{}, reach, {}, {}}}};
  return judge(machine, tables, at(initiator), named, {.access = access});
}

// ---- up to a root complex that refuses

constexpr std::uint16_t unlisted = 0x29c0;
constexpr std::uint16_t rocket_lake = 0x4c43;  // github.com/intel/compute-runtime issue 935: the data were wrong
constexpr std::uint16_t coffee_lake = 0x3ec2;  // reads returned all ones

MachineBuilder below_a_switch(std::uint16_t host_bridge, const Change& ports, const Change& root_port = acs_redirect) {
  return a_machine().on(intel).with(
      a_host_bridge("0000:00:00.0", 0x8086, host_bridge),
      a_root_port("0000:00:01.0")
          .with(root_port, a_switch("0000:01:00.0")
                               .with(a_port("0000:02:00.0").with(ports, an_endpoint("0000:03:00.0")),
                                     a_port("0000:02:01.0").with(ports, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))))));
}

Verdict asked(const Machine& machine, Access access = Access::read_write, Reach reach = both) {
  return described(machine, reach, "0000:03:00.0", "0000:04:00.0:2", access);
}

// SV and UF: it has no redirect that could be off.
const auto without_redirects = acs(0x11, 0x11);

TEST(DescribedPair, DoesNotOpenARootComplexThatRefusesWhereItIsNotKnownWhetherPortsRedirect) {
  for (const auto& ports : {Change(without_redirects), Change(acs_unknown)}) {
    EXPECT_EQ(asked(below_a_switch(unlisted, without_redirects)).route, Route::described);
    const auto verdict = asked(below_a_switch(rocket_lake, ports));
    EXPECT_EQ(verdict.route, Route::none);
    EXPECT_EQ(verdict.possible, unknown) << "it may turn in the switch";
    EXPECT_EQ(verdict.decided_by, Rule::route);
    EXPECT_THAT(codes(verdict), ElementsAre("acs-unknown"));
    EXPECT_THAT(verdict.notes, Contains(HasSubstr("it does not count, for what goes up to the root complex")));
  }
}

TEST(DescribedPair, DoesNotOpenASharedPortThatForwardsNothingUp) {
  const auto forwarding = acs(Acs::upstream_forwarding);
  const auto below = [&](const Change& shared) {
    const auto port = without_redirects;
    return a_machine().on(intel).with(
        a_host_bridge("0000:00:00.0", 0x8086, unlisted),
        a_root_port("0000:00:01.0")
            .with(acs_redirect,
                  a_switch("0000:01:00.0")
                      .with(a_port("0000:02:00.0")
                                .with(shared, a_switch("0000:05:00.0")
                                                  .with(a_port("0000:06:00.0").with(port, an_endpoint("0000:03:00.0")),
                                                        a_port("0000:06:01.0")
                                                            .with(port, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))))))));
  };
  EXPECT_EQ(asked(below(forwarding)).route, Route::described);
  const auto verdict = asked(below(acs_clear));
  EXPECT_EQ(verdict.route, Route::none);
  EXPECT_NE(verdict.possible, yes);
  EXPECT_EQ(asked(Machine(below(acs_clear).on(virtualization("kvm")))).answer, yes) << "a guest's ports are made up";
}

TEST(DescribedPair, DoesNotOpenReadsThatAreKnownNotToComeBack) {
  const Machine machine = below_a_switch(coffee_lake, without_redirects);
  EXPECT_NE(asked(machine).possible, yes);
  const auto writes = asked(machine, Access::write);
  EXPECT_EQ(writes.answer, yes);
  EXPECT_EQ(writes.directions.writes, yes);
  EXPECT_EQ(writes.directions.reads, no);
}

TEST(DescribedPair, OfFunctionsOfOneDeviceGoesUpToo) {
  const auto device = [](std::uint16_t host_bridge) -> Machine {
    return a_machine().on(intel).with(a_host_bridge("0000:00:00.0", 0x8086, host_bridge),
                                      a_root_port("0000:00:01.0")
                                          .with(acs_redirect, an_endpoint("0000:03:00.0").with(multifunction),
                                                an_endpoint("0000:03:00.1").with(multifunction, bar(2, 1_MiB))));
  };
  const auto between = [](const Machine& machine) { return described(machine, both, "0000:03:00.0", "0000:03:00.1:2"); };
  EXPECT_EQ(between(device(unlisted)).route, Route::described);
  const auto verdict = between(device(rocket_lake));
  EXPECT_EQ(verdict.possible, unknown);
  EXPECT_THAT(codes(verdict), ElementsAre("no-internal-route"));
}

MachineBuilder two_root_ports(std::uint16_t host_bridge, const Change& initiators, std::string second_domain = "0000") {
  return a_machine().on(intel).with(
      a_host_bridge("0000:00:00.0", 0x8086, host_bridge),
      a_root_port("0000:00:01.0").with(initiators, an_endpoint("0000:03:00.0")),
      a_host_bridge(second_domain == "0000" ? "0000:80:00.0" : second_domain + ":00:00.0", 0x8086, host_bridge),
      a_root_port(second_domain + ":00:02.0").with(acs_redirect, an_endpoint(second_domain + ":04:00.0").with(bar(2, 1_MiB))));
}

// Between root ports nothing turns before the root complex: whether the port blocks leaves only a no open.
TEST(DescribedPair, OfTwoRootPortsIsRefusedWhateverTheirAcs) {
  for (const auto access : {Access::write, Access::read_write}) {
    const auto verdict = asked(two_root_ports(rocket_lake, acs_unknown), access);
    EXPECT_EQ(verdict.possible, no);
    EXPECT_THAT(codes(verdict), Contains("root-complex-refuses"));
  }
}

// ---- described as unknown

TEST(DescribedPair, OfWhichNobodyKnowsIsJudgedByTheRulesWithTheirRemedies) {
  const auto before =
      judge(below_a_switch(unlisted, acs_redirect), shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:2"));
  ASSERT_THAT(before.remedies, Contains(StartsWith("pci=config_acs=")));
  for (const auto& reach : {Reach{}, Reach{.writes = yes, .reads = unknown}}) {
    const auto verdict = asked(below_a_switch(unlisted, acs_redirect), Access::read_write, reach);
    EXPECT_EQ(verdict.blockers, before.blockers);
    EXPECT_EQ(verdict.remedies, before.remedies);
    EXPECT_EQ(verdict.evidence, Evidence::rules);
    EXPECT_EQ(verdict.decided_by, Rule::route);
    EXPECT_THAT(verdict.notes, Contains(StartsWith("described: peers.toml says writes")));
  }
  const auto guest = asked(below_a_switch(unlisted, acs_redirect).on(virtualization("kvm")), Access::read_write, {});
  EXPECT_THAT(codes(guest), ElementsAre("described-unknown")) << "of a guest the rules know nothing";
}

TEST(DescribedPair, OfWhichNobodyKnowsStaysANoBetweenDomains) {
  const auto between = [](Reach reach) {
    return described(two_root_ports(unlisted, acs_redirect, "0001"), reach, "0000:03:00.0", "0001:04:00.0:2");
  };
  EXPECT_EQ(between(both).answer, yes);
  EXPECT_EQ(between({}).answer, no);
  EXPECT_THAT(codes(between({})), ElementsAre("different-domain"));
}

// ---- between domains

TEST(DescribedPair, BetweenDomainsIsToldThatWritesAloneWouldGetThere) {
  const auto between = [](std::uint16_t host_bridge, Access access) {
    return described(two_root_ports(host_bridge, acs_redirect, "0001"), both, "0000:03:00.0", "0001:04:00.0:2", access);
  };
  const auto verdict = between(coffee_lake, Access::read_write);
  EXPECT_EQ(verdict.possible, no);
  EXPECT_THAT(codes(verdict), Contains("reads-not-forwarded"));
  EXPECT_THAT(codes(verdict), Not(Contains("root-complex-refuses")));
  EXPECT_EQ(between(coffee_lake, Access::write).answer, yes);
  EXPECT_THAT(codes(between(coffee_lake, Access::write)), IsEmpty());
  for (const auto access : {Access::read_write, Access::read})
    EXPECT_THAT(codes(between(rocket_lake, access)), Contains("root-complex-refuses")) << "writes do not either";
}

}  // namespace

}  // namespace p2pd::test
