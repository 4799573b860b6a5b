// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Conditions that need more of a machine than the table of verdict_conditions_test.cpp has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verdict_pair.h"

namespace p2pd::test {

namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr auto yes = Answer::yes;
constexpr auto unknown = Answer::unknown;

TEST(Conditions, AVfOpensOnlyWhileItsPfIsOnADriverOfItsOwn) {
  const auto with_pf_on = [](std::string name) {
    const Machine machine = a_machine().with(
        a_root_port("0000:00:02.0")
            .with(an_endpoint("0000:03:00.0").with(driver(name)), a_virtual_function("0000:03:00.1", "0000:03:00.0")),
        a_root_port("0000:00:03.0").with(an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))));
    return codes(judge(machine, shipped_tables(), at("0000:03:00.1"), target("0000:04:00.0:2")));
  };
  EXPECT_THAT(with_pf_on("vfio-pci"), ElementsAre("pf-on-vfio-pci"));
  EXPECT_THAT(with_pf_on("nvme"), IsEmpty());
}

// The command register of a VF says nothing; what counts is its PF's VF MSE, which sources write into the VF.
TEST(Conditions, AVfDecodesWhereItsPfSaysSo) {
  const auto blockers_with = [](bool vf_decodes) {
    const Machine machine = a_machine().with(
        a_root_port("0000:00:02.0").with(acs_redirect, an_endpoint("0000:03:00.0")),
        a_root_port("0000:00:03.0")
            .with(acs_redirect, an_endpoint("0000:04:00.0").with(driver("nvme")),
                  a_virtual_function("0000:04:00.1", "0000:04:00.0").with(bar(2, 1_MiB), [=](Function& function) {
                    function.memory_decode = vf_decodes;
                  })));
    return judge(machine, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.1:2")).blockers;
  };
  EXPECT_THAT(blockers_with(true), IsEmpty());
  ASSERT_EQ(blockers_with(false).size(), 1U);
  const auto blocker = blockers_with(false).front();
  EXPECT_EQ(blocker.code, "memory-decode-off");
  EXPECT_EQ(blocker.where, "0000:04:00.0");
  EXPECT_EQ(blocker.remedy, "setpci -s 0000:04:00.0 ECAP_SRIOV+8.w=0008:0008");
}

TEST(Conditions, UnderLockdownNoRemedyWritesConfigSpace) {
  const auto locked = [](HostFacts& host) { host.lockdown = Tristate::yes; };
  const auto decode_off = [](Function& function) { function.memory_decode = false; };
  EXPECT_EQ(only_blocker({.host = locked, .target = decode_off}).remedy, "echo 1 > /sys/bus/pci/devices/0000:04:00.0/enable");
  EXPECT_THAT(only_blocker({.target = decode_off}).remedy, StartsWith("setpci "));
}

TEST(Conditions, ABridgeThatNoDriverKeepsOnIsSwitchedOnByOpeningWhatIsBelow) {
  const auto off_with = [](std::string name) {
    return codes(Pair{.switch_port = [=](Function& function) {
                   acs_clear(function);
                   function.driver = name;
                   function.bus_master = function.memory_decode = false;
                 }}.judged());
  };
  EXPECT_THAT(off_with("pcieport"), ElementsAre("bridge-bus-master-off", "bridge-decode-off"));
  EXPECT_THAT(off_with(""), IsEmpty());
}

// A dump that lacks bridges: neither where the function is nor what is above it is known.
TEST(Conditions, AMissingBridgeMakesTheAnswerUnknown) {
  const auto without = [](std::string_view gone) {
    const auto whole = Pair{}.machine();
    std::vector<Function> functions;
    for (auto function : whole.functions()) {
      if (function.address == at(gone)) continue;
      if (function.parent == at(gone)) function.parent.reset();
      functions.push_back(function);
    }
    return judge({whole.host(), functions}, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:2"));
  };
  EXPECT_THAT(codes(without("0000:02:00.0")), Contains("config-unreadable"));
  EXPECT_EQ(without("0000:02:00.0").possible, unknown);
  EXPECT_EQ(without("0000:00:03.0").possible, yes);

  auto functions = Pair{}.machine().functions();
  for (auto& function : functions)
    if (function.address == at("0000:03:00.0")) function.parent = at("0000:01:00.0");  // the next bridge that the dump has
  const auto verdict =
      judge({Pair{}.machine().host(), functions}, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:2"));
  EXPECT_THAT(codes(verdict), Contains("config-unreadable"));
  EXPECT_NE(verdict.answer, yes);
}

TEST(Conditions, AHostBridgeIsNeitherInitiatorNorTarget) {
  const auto host_bridge = [](Function& function) { function.class_code = 0x060000; };
  EXPECT_EQ(only_blocker({.initiator = host_bridge}).code, "is-bridge");
  EXPECT_EQ(only_blocker({.target = host_bridge}).code, "is-bridge");
}

TEST(Conditions, ASleepingFunctionOnVfioPciIsANoteAndOnAnotherDriverABlocker) {
  const auto on_vfio = Pair{.initiator = asleep, .target = asleep}.judged();
  EXPECT_THAT(on_vfio.blockers, IsEmpty());
  EXPECT_THAT(on_vfio.notes, ElementsAre(StartsWith("asleep: 0000:03:00.0"), StartsWith("asleep: 0000:04:00.0")));

  const auto on_another = Pair{.target = [](Function& function) {
                            asleep(function);
                            function.driver = "nvme";
                          }}.judged();
  EXPECT_THAT(codes(on_another), ElementsAre("target-not-on-vfio-pci", "asleep", "memory-decode-off"));
  EXPECT_THAT(on_another.blockers,
              Contains(Field(&Blocker::remedy, "echo on > /sys/bus/pci/devices/0000:04:00.0/power/control")));
}

TEST(Conditions, ASleepingPfIsAReasonAgainstItsVfs) {
  const auto below = [](const Change& power) {
    const Machine machine =
        a_machine().with(a_root_port("0000:00:02.0")
                             .with(acs_redirect, an_endpoint("0000:03:00.0").with(driver("nvme"), power),
                                   a_virtual_function("0000:03:00.1", "0000:03:00.0").with(bar(2, 1_MiB))),
                         a_root_port("0000:00:03.0").with(acs_redirect, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))));
    return std::pair{judge(machine, shipped_tables(), at("0000:04:00.0"), target("0000:03:00.1:2")).blockers,
                     judge(machine, shipped_tables(), at("0000:03:00.1"), target("0000:04:00.0:2")).blockers};
  };
  const auto awake = below([](Function&) {});
  EXPECT_THAT(awake.first, IsEmpty());
  EXPECT_THAT(awake.second, IsEmpty());
  const auto suspended = below([](Function& function) { function.power_state = PowerState::d3hot; });
  const auto tells = ElementsAre(AllOf(Field(&Blocker::code, "asleep"), Field(&Blocker::where, "0000:03:00.0"),
                                       Field(&Blocker::remedy, "echo on > /sys/bus/pci/devices/0000:03:00.0/power/control")));
  EXPECT_THAT(suspended.first, tells);
  EXPECT_THAT(suspended.second, tells);
}

TEST(Conditions, ATargetThatIsABridgeIsRefused) {
  EXPECT_THAT(codes(Pair{.target_name = "0000:02:01.0:0"}.judged()), Contains("is-bridge"));
}

TEST(Conditions, ABridgeOfAnUnknownKindOnThePathMakesTheAnswerUnknown) {
  const Machine machine =
      a_machine().with(a_bridge("0000:00:02.0", PortType::unknown, "")
                           .with(an_endpoint("0000:03:00.0"), an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))));
  const auto verdict = judge(machine, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:2"));
  EXPECT_THAT(codes(verdict), Contains("config-unreadable"));
  EXPECT_EQ(verdict.possible, unknown);
}

TEST(Conditions, BridgesAndIdleFunctionsLeaveAGroupViable) {
  const auto with_driver = [](std::string name) {
    auto functions = Pair{}.machine().functions();
    for (auto& function : functions) {
      if (function.address == at("0000:09:00.0")) function.driver = name;
      function.iommu_group = 7;
    }
    return codes(judge({Pair{}.machine().host(), functions}, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:2")));
  };
  EXPECT_THAT(with_driver("nvme"), Contains("group-not-viable"));
  EXPECT_THAT(with_driver(""), Not(Contains("group-not-viable")));
  EXPECT_THAT(with_driver("vfio-pci"), Not(Contains("group-not-viable")));
}

TEST(Conditions, ARelaxableReservedRegionIsNoReason) {
  const auto with_region = [](std::string type) {
    return Pair{
        .initiator = [=](Function& function) { function.reserved_regions = {{{Iova{0x7000'0000}, Bytes{0x1000}}, type}}; }}
        .judged();
  };
  EXPECT_THAT(codes(with_region("direct")), ElementsAre("reserved-region-direct"));
  EXPECT_THAT(codes(with_region("direct-relaxable")), IsEmpty());
  EXPECT_THAT(codes(with_region("msi")), IsEmpty());
}

TEST(Conditions, OfADumpAreUndecidedNotNo) {
  const auto of_a_dump = [](HostFacts& host) {
    host = {};
    host.is_live = false;
  };
  const auto verdict = Pair{.host = of_a_dump, .initiator = driver(""), .target = driver("")}.judged();
  for (const auto& blocker : verdict.blockers) EXPECT_FALSE(blocker.is_certain) << blocker.code;
  EXPECT_EQ(verdict.possible, unknown);
  EXPECT_EQ(verdict.answer, unknown);
}

TEST(Conditions, UnreadAtsIsUndecidedOnPciExpressOnly) {
  const auto unread = [](PortType type) {
    return Pair{.initiator =
                    [=](Function& function) {
                      acs_unknown(function);
                      function.ats_enabled.reset();
                      function.port_type = type;
                    }}
        .judged();
  };
  EXPECT_THAT(codes(unread(PortType::endpoint)), Contains("ats-enabled"));
  EXPECT_THAT(codes(unread(PortType::conventional)), IsEmpty());
}

// Intel's driver in legacy mode enables ATS when VFIO attaches a domain, not in the identity domain before.
TEST(Conditions, AtsThatIsOffInAnIdentityDomainMayBeOnOnceLent) {
  const auto off = [](bool has_ats, std::optional<std::string> type) {
    auto functions = Pair{.switch_port = acs_redirect}.machine().functions();
    for (auto& function : functions) {
      if (function.address != at("0000:03:00.0")) continue;
      function.has_ats = has_ats;
      function.iommu_type = type;
    }
    return judge({Pair{}.machine().host(), functions}, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:2"));
  };
  EXPECT_EQ(off(true, "DMA").answer, yes);
  EXPECT_EQ(off(true, "DMA-FQ").answer, yes);
  EXPECT_EQ(off(false, "identity").answer, yes);
  EXPECT_EQ(off(false, {}).answer, yes);
  const auto remedy_of = [&](const std::optional<std::string>& type) {
    const auto verdict = off(true, type);
    EXPECT_THAT(codes(verdict), Contains("ats-enabled"));
    EXPECT_EQ(verdict.answer, unknown);
    return verdict.blockers.back().remedy;
  };
  EXPECT_EQ(remedy_of("identity"), "iommu=nopt");
  EXPECT_EQ(remedy_of("unknown"), "cat /sys/bus/pci/devices/0000:03:00.0/iommu_group/type");
  EXPECT_EQ(remedy_of({}), remedy_of("unknown"));
}

TEST(Conditions, TheDmaMaskCountsFromTheLastByteAndOnASwitchRouteOnly) {
  // BARs begin at 3 GiB: 32 bits reach them, 31 do not.
  EXPECT_EQ((Pair{.address_bits = 32}.judged().answer), yes);
  EXPECT_EQ(only_blocker({.address_bits = 31}).code, "beyond-dma-mask");
  EXPECT_EQ((Pair{.switch_port = acs_redirect, .address_bits = 31}.judged().answer), yes);

  const Pair ends_at_4_gib{.target = [](Function& function) { bar_at(4, 8_KiB, 0xffff'e000)(function); },
                           .target_name = "0000:04:00.0:4",
                           .address_bits = 32};
  EXPECT_EQ(ends_at_4_gib.judged().answer, yes);
  auto one_page_on = ends_at_4_gib;
  one_page_on.target = [](Function& function) { bar_at(4, 8_KiB, 0xffff'f000)(function); };
  EXPECT_EQ(only_blocker(one_page_on).code, "beyond-dma-mask");
}

TEST(Conditions, TheIommusApertureCountsFromTheLastByteAndOnASwitchRouteOnly) {
  EXPECT_EQ((Pair{.host = translates(32, 32)}.judged().answer), yes);
  EXPECT_EQ(only_blocker({.host = translates(31, 31)}).code, "beyond-iommu-aperture");
  EXPECT_EQ((Pair{.host = translates(31, 31), .switch_port = acs_redirect}.judged().answer), yes);
}

TEST(Conditions, MemoryEncryptionMattersWhereTheIommuTranslates) {
  const auto possible = [](const HostChange& host) { return Pair{.host = host, .switch_port = acs_redirect}.judged().possible; };
  EXPECT_EQ(possible(encrypted(Tristate::no)), yes);
  EXPECT_EQ(possible(encrypted(Tristate::yes)), unknown);
  EXPECT_EQ(possible(encrypted(Tristate::unknown)), unknown);
  EXPECT_EQ((Pair{.host = encrypted(Tristate::yes)}.judged().possible), yes) << "below a switch no IOMMU is met";
  const auto in_a_dump = Pair{.host = encrypted(Tristate::unknown, false), .switch_port = acs_redirect}.judged();
  EXPECT_THAT(codes(in_a_dump), Not(Contains("memory-encryption"))) << "which does not tell";
}

TEST(MachineConditions, AreThoseThatEveryPairGets) {
  const Machine machine = a_machine().on([](HostFacts& host) {
    host.iommu = Tristate::no;
    host.vfio = Tristate::no;
    host.virtualization = "kvm";
  });
  std::vector<std::string> found;
  for (const auto& blocker : judge_machine(machine, {})) found.push_back(blocker.code);
  EXPECT_THAT(found, ElementsAre("virtual-topology", "iommu-off", "vfio-missing"));
  EXPECT_THAT(judge_machine(a_machine(), {}), IsEmpty());
}

TEST(Machine, IsNoProblemAsAGuestThatSomebodyDescribes) {
  const Machine guest = a_machine()
                            .on(virtualization("kvm"))
                            .with(an_endpoint("0000:00:04.0").with(ids(0x10de, 0x2330)), an_endpoint("0000:00:05.0"));
  const auto* gpu = guest.find(at("0000:00:04.0"));
  const auto* card = guest.find(at("0000:00:05.0"));
  const auto described_by = [](const Peer& one, const Peer& other) {
    PlatformTables tables;
    tables.peers = {{.source = "raw", .peers = {one, other}, .reach = {{}, {}, {}, {}}}};
    return tables;
  };
  EXPECT_EQ(judge_machine(guest, {}).size(), 1U);
  EXPECT_THAT(judge_machine(guest, described_by(Peer::of(*gpu), Peer::of(*card))), IsEmpty());
  auto another = Peer::of(*card);
  another.device = 0x1234;
  EXPECT_EQ(judge_machine(guest, described_by(Peer::of(*gpu), another)).size(), 1U) << "of another guest";

  auto functions = guest.functions();
  for (auto& function : functions) {
    function.vendor = 0x10de;
    function.clique = 1;
  }
  EXPECT_THAT(judge_machine({guest.host(), functions}, {}), IsEmpty());
}

}  // namespace

}  // namespace p2pd::test
