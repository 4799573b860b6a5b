// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Machines on which a yes would be a wrong one, each beside its like on which it is right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "verdict_pair.h"

namespace p2pd::test {

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto yes = Answer::yes;
constexpr auto no = Answer::no;
constexpr auto unknown = Answer::unknown;
constexpr std::uint16_t rr = Acs::request_redirect;
constexpr std::uint16_t cr = Acs::completion_redirect;
constexpr std::uint16_t uf = Acs::upstream_forwarding;

Verdict between(const Machine& machine, Access access = Access::read_write) {
  return judge(machine, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:2"), {.access = access});
}

Machine changed(const Machine& machine, std::string_view address, const Change& change) {
  auto functions = machine.functions();
  for (auto& function : functions)
    if (function.address == at(address)) change(function);
  return {machine.host(), functions};
}

// ---- the root complex

Change numbered(std::uint8_t number, const Change& more) {
  return [=](Function& function) {
    more(function);
    function.port_number = number;
  };
}
Change egress(std::uint16_t control, std::vector<std::uint32_t> vector) {
  return [=](Function& function) {
    acs(static_cast<std::uint16_t>(Acs::egress_control | uf | control))(function);
    function.acs.egress = vector;
  };
}

Machine two_root_ports(
    const Change& initiators, const Change& targets = acs_redirect, std::string second = "0000:00:03.0",
    const Change& initiator = [](Function&) {}) {
  return a_machine().on(epyc).with(
      a_root_port("0000:00:02.0").with(numbered(1, initiators), an_endpoint("0000:03:00.0").with(initiator)),
      a_root_port(second).with(numbered(2, targets), an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))));
}

TEST(RootPort, ThatBlocksByEgressControlLetsNothingPassToAnother) {
  EXPECT_EQ(between(two_root_ports(acs_redirect)).route, Route::root_complex);
  EXPECT_EQ(between(two_root_ports(egress(0, {0b010}))).route, Route::root_complex);
  EXPECT_EQ(between(two_root_ports(egress(rr, {0b100}))).route, Route::root_complex) << "redirected, which happens anyway";

  const auto blocked = between(two_root_ports(egress(0, {0b100})));
  EXPECT_THAT(codes(blocked), ElementsAre("egress-control"));
  EXPECT_EQ(blocked.possible, no);
  EXPECT_EQ(blocked.directions, (Directions{.writes = no, .reads = no, .translated = no}));
  EXPECT_EQ(between(two_root_ports(egress(Acs::direct_translated, {0b100}))).directions.translated, yes);

  const auto unread = between(two_root_ports(egress(0, {})));
  EXPECT_THAT(codes(unread), ElementsAre("egress-control"));
  EXPECT_EQ(unread.possible, unknown);
  const auto elsewhere = between(two_root_ports(egress(0, {0}), acs_redirect, "0000:40:03.0"));
  EXPECT_EQ(elsewhere.possible, unknown) << "the ports of another root bus are numbered anew";
}

TEST(RootPort, OfWhichAcsCouldNotBeReadMayBlock) {
  const auto verdict = between(two_root_ports(acs_unknown));
  EXPECT_THAT(codes(verdict), ElementsAre("acs-unknown"));
  EXPECT_EQ(verdict.possible, unknown);
  EXPECT_EQ(between(two_root_ports(acs_absent)).answer, yes);
}

TEST(EgressControl, SaysNothingOfAPortThatItsVectorDoesNotHave) {
  const auto vector_of = [](std::uint16_t size) {
    return [=](Function& function) {
      egress(0, {0})(function);
      function.acs.capability = static_cast<std::uint16_t>(function.acs.capability | size << 8);
    };
  };
  EXPECT_EQ(between(two_root_ports(vector_of(8))).possible, yes);
  EXPECT_EQ(between(two_root_ports(vector_of(2))).possible, unknown);
}

TEST(RootPort, OfAVmdIsNotVouchedForByTheListOfItsProcessor) {
  const auto below = [](std::string domain) {
    const auto name = [&](std::string_view rest) { return domain + std::string(rest); };
    const Machine machine = a_machine().on(intel).with(
        a_root_port(name(":00:02.0")).with(ids(0x8086, 0x2030), acs_redirect, an_endpoint(name(":03:00.0"))),
        a_root_port(name(":00:03.0")).with(ids(0x8086, 0x2031), acs_redirect, an_endpoint(name(":04:00.0")).with(bar(2, 1_MiB))));
    return judge(machine, shipped_tables(), at(name(":03:00.0")), target(name(":04:00.0:2")));
  };
  EXPECT_EQ(below("0000").answer, yes);
  EXPECT_THAT(codes(below("10000")), ElementsAre("root-complex-unknown"));
  EXPECT_EQ(below("10000").kernel.map_type, KernelRule::MapType::through_host_bridge) << "the kernel takes it for one";
}

TEST(RootPort, OfAVmdIsNotWhatSomebodyTriedOfItsProcessor) {
  auto tables = shipped_tables();
  tables.host_bridges.clear();
  tables.root_complexes = {{.host_bridges = {{0x8086, 0x2030, 0x2030}},
                            .writes = yes,
                            .reads = yes,
                            .between_domains = false,
                            .about = {.what = "our servers", .source = "a test", .place = "own.toml:1", .is_unsafe = true}}};
  const auto below = [&](std::string domain) {
    const auto name = [&](std::string_view rest) { return domain + std::string(rest); };
    const Machine machine = a_machine().on(intel).with(
        a_root_port(name(":00:02.0")).with(ids(0x8086, 0x2030), acs_redirect, an_endpoint(name(":03:00.0"))),
        a_root_port(name(":00:03.0")).with(ids(0x8086, 0x2031), acs_redirect, an_endpoint(name(":04:00.0")).with(bar(2, 1_MiB))));
    return judge(machine, tables, at(name(":03:00.0")), target(name(":04:00.0:2"))).answer;
  };
  EXPECT_EQ(below("0000"), yes);
  EXPECT_EQ(below("10000"), unknown);
  tables.root_complexes.front().between_domains = true;
  EXPECT_EQ(below("10000"), yes) << "this one speaks of them";
  tables.root_complexes.front() = {.host_bridges = {{0x8086, 0x2030, 0x2030}}, .writes = unknown, .reads = no, .about = {}};
  EXPECT_EQ(below("10000"), no);
}

TEST(RootPort, OfAChipsetIsNotVouchedForByTheListOfItsProcessor) {
  for (const auto device : {0xa190, 0xa1e7, 0x1bb0, 0x8d10, 0xa110}) {
    const auto chipset = ids(0x8086, static_cast<std::uint16_t>(device));
    const auto read = [&](const Change& port) -> Machine {
      return a_machine().on(intel).with(
          a_host_bridge("0000:00:00.0", 0x8086, 0x2020),
          a_root_port("0000:00:1c.0").with(port, acs_redirect, an_endpoint("0000:03:00.0").with(bar(0, 1_MiB))),
          a_root_port("0000:00:1d.0").with(acs_redirect, an_endpoint("0000:05:00.0").with(bar(0, 1_MiB))),
          a_root_port("0000:17:00.0").with(ids(0x8086, 0x2030), acs_redirect, an_endpoint("0000:18:00.0").with(bar(0, 1_MiB))));
    };
    const auto ask = [](const Machine& machine, const char* initiator, const char* name) {
      return judge(machine, shipped_tables(), at(initiator), target(name));
    };
    for (const auto* other : {"0000:18:00.0", "0000:05:00.0"}) {
      const auto name = std::string(other) + ":0";
      const auto verdict = ask(read(chipset), "0000:03:00.0", name.c_str());
      EXPECT_THAT(codes(verdict), ElementsAre("root-complex-unknown")) << other;
      EXPECT_THAT(verdict.blockers.front().observed, HasSubstr("0000:00:1c.0 is a port of its chipset"));
      EXPECT_EQ(verdict.kernel.map_type, KernelRule::MapType::through_host_bridge) << "the kernel takes it for one";
      EXPECT_EQ(ask(read(chipset), other, "0000:03:00.0:0").possible, unknown) << other;
      EXPECT_EQ(ask(read(ids(0x8086, 0x2031)), "0000:03:00.0", name.c_str()).answer, yes) << other;
    }
    EXPECT_EQ(ask(read(chipset), "0000:05:00.0", "0000:18:00.0:0").answer, yes) << "both are the processor's";
    EXPECT_EQ(ask(Machine(a_machine().with(a_root_port("0000:00:1c.0").with(chipset, an_endpoint("0000:03:00.0")),
                                           a_root_port("0000:17:00.0").with(an_endpoint("0000:18:00.0").with(bar(0, 1_MiB))))),
                  "0000:03:00.0", "0000:18:00.0:0")
                  .route,
              Route::root_complex)
        << "the list of processors speaks of any two ports";
  }
}

// ---- translated requests

void with_ats(Function& function) { function.ats_enabled = true; }

TEST(TranslatedRequests, ThatAreSentUpAreBlockedByAPortThatBothShare) {
  const auto below = [](std::uint16_t shared) {
    const auto port = acs(rr | cr | uf);
    return a_machine().on(epyc).with(
        a_root_port("0000:00:02.0")
            .with(acs(static_cast<std::uint16_t>(rr | cr | uf | shared)),
                  a_switch("0000:01:00.0")
                      .with(a_port("0000:02:00.0").with(port, an_endpoint("0000:03:00.0").with(with_ats)),
                            a_port("0000:02:01.0").with(port, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))))));
  };
  EXPECT_EQ(between(below(0)).directions.translated, yes);
  EXPECT_THAT(codes(between(below(0))), ElementsAre("ats-enabled"));
  EXPECT_EQ(between(below(Acs::translation_blocking)).directions.translated, no);
  EXPECT_THAT(codes(between(below(Acs::translation_blocking))), ElementsAre("translation-blocked", "ats-enabled"));
}

TEST(TranslatedRequests, HaveTheAddressOfTheCpuWhichMayBeSomebodyElsesOnTheBus) {
  const auto port = acs(static_cast<std::uint16_t>(rr | cr | uf | Acs::direct_translated));
  const auto below = [&](const Change& initiator, std::uint64_t offset) {
    const auto elsewhere = [=](Function& function) {
      for (auto& bar : function.bars) bar.cpu_address = CpuAddress{bar.bus_address->value + offset};
    };
    return between(changed(Pair{.initiator = initiator, .switch_port = port}.machine(), "0000:04:00.0", elsewhere));
  };
  EXPECT_EQ(below(with_ats, 0).route, Route::root_complex);
  EXPECT_THAT(codes(below(with_ats, 0)), ElementsAre("ats-enabled"));
  const auto verdict = below(with_ats, 4_GiB);
  EXPECT_EQ(verdict.route, Route::root_complex);
  EXPECT_THAT(codes(verdict), ElementsAre("ats-bus-address", "ats-enabled"));
  EXPECT_EQ(verdict.possible, unknown);
  EXPECT_EQ(below([](Function&) {}, 4_GiB).answer, yes) << "what goes up untranslated has an address of the IOMMU's";
}

// Trust in its firmware takes `ats-enabled` away, and nothing else.
TEST(TranslatedRequests, MayComeFromAnInitiatorOfWhichAtsCouldNotBeRead) {
  const auto unread = [](Function& function) { function.ats_enabled.reset(); };
  const auto direct = Pair{.initiator = unread}.judged();
  EXPECT_THAT(codes(direct), ElementsAre("ats-bus-address", "ats-enabled"));
  EXPECT_EQ(direct.possible, unknown);
  const auto blocked = Pair{.initiator = unread, .switch_port = acs(rr | cr | uf | Acs::translation_blocking)}.judged();
  EXPECT_THAT(codes(blocked), ElementsAre("translation-blocked", "ats-enabled"));
  EXPECT_EQ(blocked.possible, unknown);
  const auto conventional = [](Function& function) { function.ats_enabled.reset(), function.port_type = PortType::conventional; };
  EXPECT_THAT(codes(Pair{.initiator = conventional}.judged()), IsEmpty());
}

// ---- functions of one device

TEST(FunctionsOfOneDevice, AreNotJoinedByABridgeAmongThemOfWhichAcsCouldNotBeRead) {
  // Two PCI buses behind one package, as Intel's 41210 has them.
  const Machine machine = a_machine().on(intel).with(
      a_host_bridge("0000:00:00.0", 0x8086, 0x29c0),
      a_root_port("0000:00:02.0")
          .with(acs_redirect, a_pci_bridge("0000:01:00.0").with(acs_unknown, a_conventional_device("0000:03:00.0")),
                a_pci_bridge("0000:01:00.2").with(acs_unknown, a_conventional_device("0000:04:00.0").with(bar(2, 1_MiB)))));
  const auto verdict = between(machine);
  EXPECT_THAT(codes(verdict), Contains("no-internal-route"));
  EXPECT_EQ(verdict.possible, unknown);
}

TEST(FunctionsOfOneDevice, ShareAGroupThatADumpNeedNotTell) {
  const auto dump_of = [](const Change& own) {
    const Machine live =
        a_machine().on(epyc).with(a_root_port("0000:00:02.0")
                                      .with(acs_redirect, an_endpoint("0000:03:00.0").with(multifunction, own),
                                            an_endpoint("0000:03:00.1").with(multifunction, own, bar(2, 1_MiB))));
    auto host = live.host();
    host.is_live = false;
    auto functions = live.functions();
    for (auto& function : functions) function.iommu_group.reset();
    return judge({host, functions}, shipped_tables(), at("0000:03:00.0"), target("0000:03:00.1:2"));
  };
  EXPECT_THAT(codes(dump_of(acs_clear)), ElementsAre("same-iommu-group"));
  EXPECT_EQ(dump_of(acs_clear).possible, unknown);
  EXPECT_THAT(codes(dump_of(acs_absent)), ElementsAre("same-iommu-group"));
  EXPECT_THAT(codes(dump_of(acs_redirect)), IsEmpty());
}

// ---- windows of bridges

Change window_of(std::uint64_t begin, std::uint64_t length) {
  return [=](Function& bridge) {
    bridge.bridge->memory = make_range(BusAddress{begin}, Bytes{length});
    bridge.bridge->prefetchable.reset();
  };
}
std::uint64_t address_of_target(const Machine& machine) {
  return machine.find(at("0000:04:00.0"))->find_bar(2)->bus_address->value;
}

TEST(Windows, MustCoverTheTargetAtEveryBridgeAboveIt) {
  for (const auto& ports : {Change(acs_clear), Change(acs_redirect)}) {
    const auto machine = Pair{.switch_port = ports}.machine();
    const auto begin = address_of_target(machine);
    ASSERT_EQ(between(machine).answer, yes);
    for (const auto* bridge : {"0000:02:01.0", "0000:01:00.0", "0000:00:02.0"}) {
      const auto short_by_one = between(changed(machine, bridge, window_of(begin, 1_MiB - 1)));
      EXPECT_THAT(codes(short_by_one), Contains("bar-not-routed")) << bridge;
      EXPECT_EQ(short_by_one.possible, no) << bridge;
    }
    EXPECT_EQ(between(changed(machine, "0000:02:01.0", window_of(begin, 1_MiB))).answer, yes);
  }
}

TEST(Windows, OfA64BitBarIsThePrefetchableOne) {
  const Machine machine = a_machine().on(epyc).with(
      a_root_port("0000:00:02.0").with(acs_redirect, an_endpoint("0000:03:00.0")),
      a_root_port("0000:00:03.0").with(acs_redirect, an_endpoint("0000:04:00.0").with(big_bar(2, 1_GiB))));
  ASSERT_EQ(between(machine).answer, yes);
  const auto closed = [](Function& bridge) { bridge.bridge->prefetchable.reset(); };
  EXPECT_THAT(codes(between(changed(machine, "0000:00:03.0", closed))), ElementsAre("bar-not-routed"));
}

TEST(Windows, CountInPartsOfTheBarToo) {
  const auto machine = Pair{}.machine();
  const auto half = changed(machine, "0000:02:01.0", window_of(address_of_target(machine), 512_KiB));
  const auto part = [&](std::string_view name) {
    return judge(half, shipped_tables(), at("0000:03:00.0"), target(name)).possible;
  };
  EXPECT_EQ(part("0000:04:00.0:2:0x0+0x80000"), yes);
  EXPECT_EQ(part("0000:04:00.0:2:0x7f000+0x2000"), no);
}

TEST(Windows, OfASubtractiveBridgeAreNotAllThatItTakes) {
  const auto behind = [](std::uint32_t class_code) {
    const auto narrow = [=](Function& bridge) { bridge.class_code = class_code; };
    const Machine machine =
        a_machine().on(epyc).with(a_root_port("0000:00:02.0").with(acs_redirect, an_endpoint("0000:03:00.0")),
                                  a_bridge("0000:00:1e.0", PortType::conventional, "")
                                      .with(narrow, a_conventional_device("0000:04:00.0").with(bar(2, 1_MiB))));
    return codes(between(changed(machine, "0000:00:1e.0", window_of(0xf000'0000, 1_MiB))));
  };
  EXPECT_THAT(behind(0x060401), IsEmpty());
  EXPECT_THAT(behind(0x060400), ElementsAre("bar-not-routed"));
}

TEST(Windows, ThatOverlapLeaveOpenWhoAnswers) {
  const auto machine = Pair{}.machine();
  const auto begin = address_of_target(machine);
  // The initiator's own port, another root port, and a BAR beside it.
  for (const auto* bridge : {"0000:02:00.0", "0000:00:03.0"}) {
    const auto verdict = between(changed(machine, bridge, window_of(begin, 1_MiB)));
    EXPECT_THAT(codes(verdict), Contains("bar-not-routed")) << bridge;
    EXPECT_EQ(verdict.possible, unknown) << bridge;
  }
  const auto off = [&](Function& function) {
    window_of(begin, 1_MiB)(function);
    function.memory_decode = false;
  };
  EXPECT_EQ(between(changed(machine, "0000:00:03.0", off)).possible, yes);
}

TEST(Windows, BesideTheInitiatorTakeWhatItSendsUp) {
  const auto nested = [](const Change& own) -> Machine {
    return a_machine().with(
        a_root_port("0000:00:02.0")
            .with(acs_redirect,
                  a_switch("0000:01:00.0")
                      .with(a_port("0000:02:00.0")
                                .with(acs_clear, a_switch("0000:05:00.0")
                                                     .with(a_port("0000:06:00.0").with(own, an_endpoint("0000:03:00.0")),
                                                           a_port("0000:06:01.0")
                                                               .with(acs_clear, bar(0, 4_KiB), an_endpoint("0000:07:00.0")))),
                            a_port("0000:02:01.0").with(acs_clear, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))))));
  };
  const auto machine = nested(acs_clear);
  const auto begin = address_of_target(machine);
  const auto window = window_of(begin, 1_MiB);
  ASSERT_EQ(between(machine).answer, yes);
  const auto registers = [&](Function& function) { function.bars.front().bus_address = BusAddress{begin + 64_KiB}; };
  for (const auto& taking : {Change(window), Change(registers)}) {
    const auto verdict = between(changed(machine, "0000:06:01.0", taking));
    EXPECT_THAT(codes(verdict), ElementsAre("bar-not-routed"));
    EXPECT_EQ(verdict.possible, unknown);
    EXPECT_THAT(verdict.blockers.front().where, HasSubstr("0000:06:01.0"));
  }
  const auto off = [&](Function& function) {
    window(function);
    function.memory_decode = false;
  };
  EXPECT_EQ(between(changed(machine, "0000:06:01.0", off)).possible, yes);
  EXPECT_EQ(between(changed(nested(acs_redirect), "0000:06:01.0", window)).possible, yes) << "redirected, past what is beside it";
}

TEST(Windows, NeedABusAddressToBeAskedOnAnyRoute) {
  const auto machine = Pair{.switch_port = acs_redirect}.machine();
  const auto unread = [](Function& function) {
    for (auto& bar : function.bars) bar.bus_address.reset();
  };
  EXPECT_THAT(codes(between(changed(machine, "0000:04:00.0", unread))), ElementsAre("bus-address-unknown"));
}

// ---- places

TEST(Place, OfABridgeToConventionalPciIsBelowAPort) {
  const Machine machine =
      a_machine().on(epyc).with(a_pci_bridge("0000:02:00.0").with(a_conventional_device("0000:03:00.0")),
                                a_root_port("0000:00:03.0").with(acs_redirect, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))));
  EXPECT_THAT(codes(between(machine)), Contains("config-unreadable"));
  EXPECT_EQ(between(machine).possible, unknown);
}

TEST(Place, OfAConventionalFunctionIsOnARootBusOnlyIfSomethingThereSaysSo) {
  const auto on_bus_5 = [](const MachineBuilder& more) {
    const Machine live =
        more.on(epyc).with(a_conventional_device("0000:05:01.0"),
                           a_root_port("0000:00:03.0").with(acs_redirect, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))));
    auto host = live.host();
    host.is_live = false;
    return judge({host, live.functions()}, shipped_tables(), at("0000:05:01.0"), target("0000:04:00.0:2")).possible;
  };
  EXPECT_EQ(on_bus_5(a_machine()), unknown);
  EXPECT_EQ(on_bus_5(a_machine().with(a_host_bridge("0000:05:00.0", 0x1022, 0x1480))), yes);
}

TEST(Place, BelowTheUpstreamPortOfASwitchIsAPort) {
  const Machine machine = a_machine().on(epyc).with(
      a_root_port("0000:00:02.0")
          .with(acs_redirect,
                a_switch("0000:01:00.0")
                    .with(a_bridge("0000:02:00.0", PortType::conventional, "").with(an_endpoint("0000:03:00.0")),
                          a_port("0000:02:01.0").with(acs_clear, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))))));
  EXPECT_THAT(codes(between(machine)), Contains("config-unreadable"));
  EXPECT_EQ(between(machine).possible, unknown);
}

TEST(Place, ABridgeThatCallsItselfAnEndpointIsNotUnderstood) {
  const Machine machine =
      a_machine().on(epyc).with(a_bridge("0000:00:02.0", PortType::endpoint, "").with(an_endpoint("0000:03:00.0")),
                                a_root_port("0000:00:03.0").with(acs_redirect, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))));
  EXPECT_EQ(between(machine).possible, unknown);
}

// ---- what was not read

TEST(Unread, ReservedRegionsMayBeDirectOrHoldTheCookie) {
  const auto unread = [](Function& function) { function.has_unread_regions = true; };
  const Pair pair{.initiator = unread};
  EXPECT_THAT(codes(pair.judged()), ElementsAre("reserved-region", "reserved-region-direct"));
  EXPECT_EQ(pair.judged().possible, unknown);
  EXPECT_THAT(codes(Pair{.target = unread}.judged()), ElementsAre("reserved-region-direct"));

  // A dump never tells: a note says so, and what is always reserved is not forgotten.
  const auto dumped = [&](std::uint64_t address) {
    const auto machine = Pair{.initiator = unread,
                              .target = [=](Function& function) { bar_at(4, 1_MiB, address)(function); },
                              .target_name = "0000:04:00.0:4"}
                             .machine();
    auto host = machine.host();
    host.is_live = false;
    return codes(judge({host, machine.functions()}, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:4")));
  };
  EXPECT_THAT(dumped(0x40'0000'0000), IsEmpty());
  EXPECT_THAT(dumped(0xfd'0000'0000), ElementsAre("reserved-region"));
  EXPECT_THAT(dumped(0x100'0000'0000), IsEmpty());
}

TEST(Unread, MemoryEnableOfAVirtualFunctionThatSleepsIsNotSwitchedOnByOpeningIt) {
  const auto sleeping = [](const Change& more) {
    return [=](Function& function) {
      asleep(function);
      function.memory_decode.reset();
      more(function);
    };
  };
  EXPECT_THAT(codes(Pair{.target = sleeping([](Function&) {})}.judged()), IsEmpty());
  const auto virtual_one = [](Function& function) { function.physical_function = at("0000:09:00.0"); };
  EXPECT_THAT(codes(Pair{.target = sleeping(virtual_one)}.judged()), Contains("config-unreadable"));
}

// ---- a port that cannot redirect

TEST(PortWithoutRequestRedirect, IsUnknownToTheRouteRuleAndDirectToTheKernels) {
  for (const std::uint16_t missing : {rr, cr}) {
    const auto port = acs(0, static_cast<std::uint16_t>(0x7f & ~missing));
    const auto verdict = Pair{.switch_port = port}.judged();
    EXPECT_THAT(codes(verdict), ElementsAre("acs-unknown"));
    EXPECT_EQ(verdict.possible, unknown);
    EXPECT_EQ(verdict.kernel.map_type, KernelRule::MapType::bus_address);
  }
}

}  // namespace

}  // namespace p2pd::test
