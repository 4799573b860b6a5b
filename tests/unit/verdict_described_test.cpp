// SPDX-License-Identifier: LGPL-2.1-or-later
//
// docs/platform.md "Who reaches whom": what a description does to a verdict.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builders.h"
#include "platform/ports.h"
#include "verdict/judge.h"

namespace p2pd::test {

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr Tristate yes = Tristate::yes;
constexpr Tristate no = Tristate::no;
constexpr Tristate unknown = Tristate::unknown;
constexpr Reach both{.writes = yes, .reads = yes};

const char* const initiator = "0000:01:00.0";

// Two root ports of a root complex that is in no list.
MachineBuilder a_pair(std::string_view target_domain = "0000") {
  const auto other = std::string(target_domain);
  return a_machine().on(intel).with(a_host_bridge("0000:00:00.0", 0x8086, 0x29c0),
                                    a_root_port("0000:00:02.0").with(an_endpoint(initiator).with(bar(0, 4_KiB))),
                                    a_root_port(other + ":00:03.0").with(an_endpoint(other + ":02:00.0").with(bar(2, 1_MiB))));
}

PlatformTables described_as(const Machine& machine, Reach reach, const std::string& target_address = "0000:02:00.0") {
  auto tables = shipped_tables();
  tables.peers = {{.source = "peers.toml",
                   .peers = {Peer::of(*machine.find(at(initiator))), Peer::of(*machine.find(at(target_address)))},
                   .reach = {{}, reach, {}, {}}}};
  return tables;
}

Verdict judged(const Machine& machine, const PlatformTables& tables, const std::string& target_address = "0000:02:00.0") {
  return judge(machine, tables, at(initiator), target(target_address + ":2"));
}

std::vector<std::string> codes(const Verdict& verdict) {
  std::vector<std::string> found;
  for (const auto& blocker : verdict.blockers) found.push_back(blocker.code);
  return found;
}

TEST(Described, OpensAVirtualMachine) {
  const Machine guest = a_pair().on(virtualization("kvm"));
  const auto before = judged(guest, shipped_tables());
  EXPECT_EQ(before.answer, unknown);
  EXPECT_THAT(codes(before), ElementsAre("virtual-topology"));

  const auto after = judged(guest, described_as(guest, both));
  EXPECT_EQ(after.answer, yes);
  EXPECT_EQ(after.route, Route::described);
  EXPECT_EQ(after.evidence, Evidence::described);
  EXPECT_EQ(before.decided_by, Rule::route);
  EXPECT_EQ(after.decided_by, Rule::description);
  EXPECT_EQ(after.directions.writes, yes);
  EXPECT_EQ(after.directions.reads, yes);
  EXPECT_EQ(after.directions.translated, unknown);
  EXPECT_THAT(after.notes, Contains("described: peers.toml says writes yes, reads yes"));
}

TEST(Described, SaysNothingOfTheOtherDirection) {
  const Machine guest = a_pair().on(virtualization("kvm"));
  const auto back = judge(guest, described_as(guest, both), at("0000:02:00.0"), target("0000:01:00.0:0"));
  EXPECT_EQ(back.answer, unknown);
  EXPECT_THAT(codes(back), ElementsAre("described-unknown"));
}

TEST(Described, OpensAVirtualMachineByTheClique) {
  const auto gpu = [](Function& function) {
    ids(0x10de, 0x2330)(function);
    function.clique = 2;
  };
  const Machine guest = a_machine()
                            .on(virtualization("kvm"))
                            .with(an_endpoint("0000:00:04.0").with(gpu), an_endpoint("0000:00:05.0").with(gpu, bar(2, 1_MiB)));
  const auto verdict = judge(guest, shipped_tables(), at("0000:00:04.0"), target("0000:00:05.0:2"));
  EXPECT_THAT(codes(verdict), IsEmpty());
  EXPECT_EQ(verdict.route, Route::described);
  EXPECT_THAT(verdict.notes, Contains(HasSubstr("NVIDIA P2P clique 2")));
}

TEST(Described, SaysNothingOfTranslatedRequests) {
  const Machine without = a_pair().on(virtualization("kvm"));
  auto functions = without.functions();
  for (auto& function : functions)
    if (function.address == at(initiator)) function.ats_enabled = true;
  const Machine guest(without.host(), functions);
  const auto verdict = judged(guest, described_as(guest, both));
  EXPECT_THAT(codes(verdict), ElementsAre("translation-blocked", "ats-enabled"));
  EXPECT_EQ(verdict.possible, unknown);
}

// VFIO may switch ATS on when it attaches what was idle in an identity domain.
TEST(Described, SaysNothingOfTranslatedRequestsThatComeWithTheLending) {
  const Machine without = a_pair().on(virtualization("kvm"));
  const auto codes_in = [&](const char* iommu_type) {
    auto functions = without.functions();
    for (auto& function : functions) {
      if (function.address != at(initiator)) continue;
      function.has_ats = true;
      function.ats_enabled = false;
      function.iommu_type = iommu_type;
    }
    const Machine guest(without.host(), functions);
    return codes(judged(guest, described_as(guest, both)));
  };
  EXPECT_THAT(codes_in("DMA"), testing::Not(testing::Contains("translation-blocked")));
  EXPECT_THAT(codes_in("identity"), testing::Contains("translation-blocked"));
}

TEST(Described, IsAskedForRoomWithinReachOfTheInitiator) {
  const Machine guest = a_pair().on(virtualization("kvm"));
  const auto within = [&](unsigned bits) {
    return judge(guest, described_as(guest, both), at(initiator), target("0000:02:00.0:2"), {.address_bits = bits}).possible;
  };
  EXPECT_EQ(within(32), yes);
  EXPECT_EQ(within(16), no);
}

TEST(Described, AsUnknownOrNoIsNoYes) {
  const Machine guest = a_pair().on(virtualization("kvm"));
  for (const auto& [reach, answer, code] : {std::tuple{Reach{yes, no}, no, "described-no"},
                                            {Reach{no, yes}, no, "described-no"},
                                            {Reach{yes, unknown}, unknown, "described-unknown"},
                                            {Reach{unknown, no}, no, "described-no"}}) {
    const auto verdict = judged(guest, described_as(guest, reach));
    EXPECT_EQ(verdict.answer, answer);
    EXPECT_EQ(verdict.route, Route::none);
    EXPECT_EQ(verdict.evidence, Evidence::described) << "the rules know nothing of it";
    EXPECT_EQ(verdict.decided_by, Rule::description);
    EXPECT_THAT(codes(verdict), ElementsAre(code));
  }
}

TEST(Described, JoinsDomains) {
  const Machine machine = a_pair("0001");
  EXPECT_EQ(judged(machine, shipped_tables(), "0001:02:00.0").answer, no);
  const auto verdict = judged(machine, described_as(machine, both, "0001:02:00.0"), "0001:02:00.0");
  EXPECT_EQ(verdict.answer, yes);
  EXPECT_EQ(verdict.route, Route::described);
}

TEST(Described, KnowsOfARootComplexThatIsInNoList) {
  const Machine machine = a_pair();
  EXPECT_EQ(judged(machine, shipped_tables()).answer, unknown);
  EXPECT_EQ(judged(machine, described_as(machine, both)).answer, yes);
}

TEST(Described, DoesNotUndoANoOfTheRules) {
  const Machine haswells = a_machine().on(intel).with(
      a_host_bridge("0000:00:00.0", 0x8086, 0x2f00), a_root_port("0000:00:02.0").with(an_endpoint(initiator).with(bar(0, 4_KiB))),
      a_host_bridge("0000:80:00.0", 0x8086, 0x2f00),
      a_root_port("0000:80:03.0").with(an_endpoint("0000:81:00.0").with(bar(2, 1_MiB))));
  const auto verdict = judged(haswells, described_as(haswells, both, "0000:81:00.0"), "0000:81:00.0");
  EXPECT_EQ(verdict.answer, no);
  EXPECT_EQ(verdict.evidence, Evidence::rules);
}

TEST(Described, AsNoIsANoWhereTheRulesSayYes) {
  const Machine machine = a_pair().on(epyc);
  EXPECT_EQ(judged(machine, shipped_tables()).answer, yes);
  const auto verdict = judged(machine, described_as(machine, {.writes = yes, .reads = no}));
  EXPECT_EQ(verdict.answer, no);
  EXPECT_EQ(verdict.evidence, Evidence::described);
  EXPECT_THAT(codes(verdict), ElementsAre("described-no"));
}

TEST(Described, DoesNotOpenARootComplexThatIsKnownToRefuseBetweenDomains) {
  const auto ports = [](std::uint16_t vendor, std::uint16_t first, std::uint16_t second) {
    return a_machine().on(epyc).with(
        a_root_port("0000:00:02.0").with(ids(vendor, first), an_endpoint(initiator).with(bar(0, 4_KiB))),
        a_root_port("0001:00:03.0").with(ids(vendor, second), an_endpoint("0001:02:00.0").with(bar(2, 1_MiB))));
  };
  const auto asked = [](const Machine& machine) {
    return judged(machine, described_as(machine, both, "0001:02:00.0"), "0001:02:00.0");
  };
  EXPECT_EQ(asked(ports(0x1d1d, 1, 1)).answer, yes) << "ports of which nobody has said anything";
  const auto ampere = ports(0x1def, 0xe005, 0xe006);
  const auto verdict = asked(ampere);
  EXPECT_EQ(verdict.possible, no);
  EXPECT_EQ(verdict.evidence, Evidence::rules);
  EXPECT_THAT(codes(verdict), Contains("root-complex-refuses"));
  EXPECT_EQ(asked(ampere.on(virtualization("kvm"))).answer, yes) << "a guest's ports are made up";

  const Machine haswells = a_machine().on(intel).with(
      a_host_bridge("0000:00:00.0", 0x8086, 0x2f00), a_root_port("0000:00:02.0").with(an_endpoint(initiator).with(bar(0, 4_KiB))),
      a_host_bridge("0001:00:00.0", 0x8086, 0x2f00),
      a_root_port("0001:00:03.0").with(an_endpoint("0001:02:00.0").with(bar(2, 1_MiB))));
  EXPECT_THAT(codes(asked(haswells)), Contains("different-host-bridge"));
}

TEST(Described, ChangesNothingAboutAKindOfRequestThatIsKnownNotToGetThere) {
  // github.com/enfiskutensykkel/ssd-gpu-dma issue 20: reads returned all ones.
  const Machine coffee_lake = a_machine().on(intel).with(
      a_host_bridge("0000:00:00.0", 0x8086, 0x3ec2), a_root_port("0000:00:02.0").with(an_endpoint(initiator).with(bar(0, 4_KiB))),
      a_root_port("0000:00:03.0").with(an_endpoint("0000:02:00.0").with(bar(2, 1_MiB))));
  const auto tables = described_as(coffee_lake, both);
  const auto writes = judge(coffee_lake, tables, at(initiator), target("0000:02:00.0:2"), {.access = Access::write});
  EXPECT_EQ(writes.route, Route::described);
  EXPECT_EQ(writes.directions.writes, yes);
  EXPECT_EQ(writes.directions.reads, no);
  EXPECT_EQ(judged(coffee_lake, tables).answer, no);
}

TEST(Described, SaysNothingOfTheAddress) {
  const Machine guest = a_pair().on(virtualization("kvm"));
  const auto near = judge(guest, described_as(guest, both), at(initiator), target("0000:02:00.0:2"), {.address_bits = 19});
  EXPECT_THAT(codes(near), ElementsAre("iova-window-collision")) << "1 MiB is more than the initiator reaches";

  auto functions = guest.functions();
  for (auto& function : functions) function.ats_enabled = function.address == at(initiator);
  const Machine translating(guest.host(), functions);
  const auto verdict = judged(translating, described_as(translating, both));
  EXPECT_EQ(verdict.possible, unknown) << "nobody described what it sends";
  EXPECT_THAT(codes(verdict), ElementsAre("translation-blocked", "ats-enabled"));
}

TEST(Described, SaysNothingOfThePortsThatBothShare) {
  const auto below_a_switch = [](bool is_master) -> Machine {
    return a_machine().on(intel).with(
        a_host_bridge("0000:00:00.0", 0x8086, 0x29c0),
        a_root_port("0000:00:02.0")
            .with(a_switch("0000:01:00.0")
                      .with([=](Function& function) { function.bus_master = is_master; },
                            a_port("0000:02:00.0").with(acs_redirect, an_endpoint("0000:03:00.0")),
                            a_port("0000:02:01.0").with(acs_redirect, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))))));
  };
  const auto asked = [](const Machine& machine) {
    auto tables = shipped_tables();
    tables.peers = {{.source = "peers.toml",
                     .peers = {Peer::of(*machine.find(at("0000:03:00.0"))), Peer::of(*machine.find(at("0000:04:00.0")))},
                     .reach = {{}, both, {}, {}}}};
    return judge(machine, tables, at("0000:03:00.0"), target("0000:04:00.0:2"));
  };
  EXPECT_EQ(asked(below_a_switch(true)).answer, yes);
  EXPECT_THAT(codes(asked(below_a_switch(false))), ElementsAre("bridge-bus-master-off"));
}

TEST(Described, CountsInOutlinesToo) {
  const Machine guest = a_pair().on(virtualization("kvm"));
  for (const auto& reach : {both, Reach{yes, no}, Reach{}}) {
    const auto tables = described_as(guest, reach);
    const Outliner outliner(guest, tables);
    auto from = outliner.initiator(at(initiator));
    auto to = outliner.target(target("0000:02:00.0:2"));
    from.conclude();
    to.conclude();
    const auto verdict = judged(guest, tables);
    EXPECT_EQ(outliner.between(from, to), (Outline{verdict.possible, verdict.answer, verdict.route}));
  }
}

// ---- what platform.d knows of root complexes

TEST(RootComplexRefuses, WhereAnEntrySaysSo) {
  // github.com/intel/compute-runtime issue 935: copies came out wrong.
  const Machine rocket_lake = a_machine().on(intel).with(
      a_host_bridge("0000:00:00.0", 0x8086, 0x4c43), a_root_port("0000:00:02.0").with(an_endpoint(initiator).with(bar(0, 4_KiB))),
      a_root_port("0000:00:03.0").with(an_endpoint("0000:02:00.0").with(bar(2, 1_MiB))));
  const auto verdict = judged(rocket_lake, shipped_tables());
  EXPECT_EQ(verdict.answer, no);
  EXPECT_THAT(codes(verdict), ElementsAre("root-complex-refuses"));
  EXPECT_THAT(verdict.blockers.front().observed, HasSubstr("root-complexes.toml:"));
  EXPECT_EQ(verdict.directions.writes, no);
}

TEST(RootComplexRefuses, BetweenPortsThatPassNothingToOthers) {
  const Machine ampere = a_machine().on(epyc).with(
      a_root_port("0000:00:02.0").with(ids(0x1def, 0xe005), an_endpoint(initiator).with(bar(0, 4_KiB))),
      a_root_port("0000:00:03.0").with(ids(0x1def, 0xe006), an_endpoint("0000:02:00.0").with(bar(2, 1_MiB))));
  EXPECT_THAT(codes(judged(ampere, shipped_tables())), ElementsAre("root-complex-refuses"));
}

TEST(DifferentDomain, IsUnknownFromBelowAVmdThatSpeaksThere) {
  const auto below_a_vmd = [](Function& function) { function.requester = at("0001:00:0e.0"); };
  const Machine machine =
      a_machine().with(a_root_port("0000:00:02.0").with(an_endpoint(initiator).with(below_a_vmd, bar(0, 4_KiB))),
                       a_root_port("0001:00:03.0").with(an_endpoint("0001:02:00.0").with(bar(2, 1_MiB))));
  EXPECT_EQ(judged(machine, shipped_tables(), "0001:02:00.0").answer, unknown);
  EXPECT_EQ(judge(machine, shipped_tables(), at("0001:02:00.0"), target("0000:01:00.0:0")).answer, no)
      << "what comes back to the one below the VMD comes by another domain's bus numbers";
}

// ---- what an operator answers for

TEST(UnsafeEntry, IsNamedByTheVerdictThatRestsOnIt) {
  const Machine machine = a_pair();
  EXPECT_EQ(judged(machine, shipped_tables()).answer, unknown);
  auto tables = shipped_tables();
  HostBridgeEntry entry{.id = {0x8086, 0x29c0, 0x29c0}, .same_bridge_only = false, .is_vouched_for = true, .about = {}};
  entry.about = {.what = "our servers", .source = "a test", .place = "own.toml:3", .is_unsafe = true};
  tables.host_bridges.insert(tables.host_bridges.begin(), entry);
  const auto verdict = judged(machine, tables);
  EXPECT_EQ(verdict.answer, yes);
  EXPECT_THAT(verdict.notes, Contains("unsafe-platform-entry: our servers (own.toml:3)"));
  EXPECT_THAT(judged(a_pair().on(epyc), tables).notes, testing::Not(Contains(HasSubstr("own.toml")))) << "the CPU decides";
}

About unsafe_entry() { return {.what = "our ports", .source = "a test", .place = "own.toml:3", .is_unsafe = true}; }

TEST(UnsafeEntry, OfAPortIsNamedToo) {
  const Machine read = a_machine().with(
      a_root_port("0000:00:02.0")
          .with(a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0").with(ids(0x1234, 1), an_endpoint("0000:03:00.0")),
                          a_port("0000:02:01.0").with(ids(0x1234, 1), an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))))));
  const auto notes = [&](const PlatformTables& tables) {
    const auto machine = with_known_ports(read, tables);
    return judge(machine, tables, at("0000:03:00.0"), target("0000:04:00.0:2")).notes;
  };
  const auto named = Contains("unsafe-platform-entry: our ports (own.toml:3)");
  EXPECT_THAT(notes(shipped_tables()), testing::Not(named));
  const Which which{.ids = {{0x1234, 1, 1}}, .port_types = {}};
  auto isolated = shipped_tables();
  isolated.isolated_ports.push_back({.which = which, .has_no_peers = false, .about = unsafe_entry()});
  EXPECT_THAT(notes(isolated), named);
  auto chipset = shipped_tables();
  chipset.chipset_ports.push_back({.which = which, .acs_control_offset = 8, .about = unsafe_entry()});
  EXPECT_THAT(notes(chipset), named);
}

TEST(UnsafeEntry, ThatMasksAFileIsNamed) {
  const Machine machine = a_pair();
  auto tables = shipped_tables();
  tables.unsafe_masks = {"/etc/p2pd/platform.d/root-complexes.toml"};
  EXPECT_THAT(judged(machine, tables).notes, Contains(HasSubstr("(/etc/p2pd/platform.d/root-complexes.toml)")));
}

// ---- ports whose ACS is another than the standard's

Machine below_two_ports(const Change& ports, const Change& root_port) {
  const Machine read = a_machine().on(intel).with(
      a_host_bridge("0000:00:00.0", 0x8086, 0x29c0),
      a_root_port("0000:00:02.0")
          .with(root_port, a_switch("0000:01:00.0")
                               .with(a_port("0000:02:00.0").with(ports, an_endpoint("0000:03:00.0")),
                                     a_port("0000:02:01.0").with(ports, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))))));
  return with_known_ports(read, shipped_tables());
}

TEST(KnownPort, ThatIsolatesByItsWiringIsNamedAndHasNoRemedy) {
  const auto asked = [](const Machine& machine) {
    return judge(machine, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:2"));
  };
  EXPECT_THAT(asked(below_two_ports(acs_redirect, acs_redirect)).remedies, Contains(HasSubstr("config_acs=")));
  // Zhaoxin's, with a redirect that could be cleared besides.
  const auto wired = [](Function& function) {
    ids(0x1d17, 0x0710)(function);
    acs_redirect(function);
  };
  const auto verdict = asked(below_two_ports(wired, acs_redirect));
  ASSERT_THAT(codes(verdict), ElementsAre("acs-redirect-no-root-complex"));
  const auto& blocker = verdict.blockers.front();
  EXPECT_THAT(blocker.where, HasSubstr("0000:02:00.0"));
  EXPECT_THAT(blocker.observed, HasSubstr("0000:02:00.0 redirects whatever its ACS says"));
  EXPECT_EQ(blocker.remedy, "");
  EXPECT_THAT(verdict.remedies, IsEmpty());
  EXPECT_THAT(verdict.notes, Contains(StartsWith("platform-port: 0000:02:00.0 isolates, whatever its ACS says: Zhaoxin port")));
}

TEST(KnownPort, OfAChipsetIsToldToNobodyToWriteWhereTheStandardHasIt) {
  const auto asked = [](const Machine& machine) {
    return judge(machine, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:2"));
  };
  const auto remedy_of = [](const Verdict& told) {
    const auto found = std::find_if(told.blockers.begin(), told.blockers.end(),
                                    [](const Blocker& blocker) { return blocker.code == "upstream-forwarding-off"; });
    return found == told.blockers.end() ? "there is no such blocker" : found->remedy;
  };
  const auto chipset = [](Function& function) {
    ids(0x8086, 0xa110)(function);
    function.acs = {Acs::State::present, 0x1f, 0};
    function.acs.next_dword = 0;
  };
  const auto verdict = asked(below_two_ports(acs_redirect, chipset));
  ASSERT_THAT(codes(verdict), Contains("upstream-forwarding-off"));
  EXPECT_EQ(remedy_of(verdict), "");
  EXPECT_THAT(verdict.notes,
              Contains(StartsWith("platform-port: 0000:00:02.0 has its ACS control at another place: Intel Sunrise Point")));
  const auto standard = [](Function& function) { function.acs = {Acs::State::present, 0x1f, 0}; };
  const auto plain = asked(below_two_ports(acs_redirect, standard));
  ASSERT_THAT(codes(plain), Contains("upstream-forwarding-off"));
  EXPECT_EQ(remedy_of(plain), "pci=config_acs=0010000@0000:00:02.0");
}

// ---- how far the initiator reaches

TEST(AddressBits, AreThoseOfTheEntryUnlessWhoAsksSaysOtherwise) {
  const auto disk = ids(0x1d0f, 0xcd01);  // 48 bits: drivers/nvme/host/pci.c
  const auto switched = [&](std::uint64_t address) -> Machine {
    return a_machine().with(
        a_root_port("0000:00:02.0")
            .with(
                a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0").with(acs_clear, an_endpoint("0000:03:00.0").with(disk)),
                          a_port("0000:02:01.0").with(acs_clear, an_endpoint("0000:04:00.0").with(bar_at(2, 1_MiB, address))))));
  };
  const auto asked = [](const Machine& machine, unsigned bits) {
    return judge(machine, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:2"), {.address_bits = bits});
  };
  const auto far = switched(std::uint64_t{1} << 48);
  const auto verdict = asked(far, 0);
  ASSERT_THAT(codes(verdict), Contains("beyond-dma-mask"));
  EXPECT_THAT(verdict.blockers.front().observed, HasSubstr("Amazon NVMe controller"));
  EXPECT_THAT(verdict.blockers.front().observed, HasSubstr("initiators.toml:"));
  EXPECT_THAT(codes(asked(far, 64)), IsEmpty());
  EXPECT_THAT(codes(asked(switched((std::uint64_t{1} << 48) - 1_MiB), 0)), IsEmpty());
  EXPECT_THAT(codes(asked(switched((std::uint64_t{1} << 48) - 1_MiB), 47)), Contains("beyond-dma-mask"));
}

}  // namespace

}  // namespace p2pd::test
