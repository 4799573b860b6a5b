// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "config_space_builder.h"
#include "sources/config_space.h"

namespace p2pd::test {
namespace {

ConfigFacts decode(const std::vector<std::uint8_t>& bytes) { return decode_config(ConfigBytes(bytes)); }

TEST(ConfigSpace, ReadsIdsClassAndCommand) {
  const auto facts =
      decode(ConfigSpaceBuilder().ids(0x10de, 0x2330).subsystem(0x10de, 0x16c1).class_code(0x030200, 0xa1).command(4).bytes());
  EXPECT_TRUE(facts.responds);
  EXPECT_EQ(facts.vendor, 0x10de);
  EXPECT_EQ(facts.device, 0x2330);
  EXPECT_EQ(facts.subsystem_vendor, 0x10de);
  EXPECT_EQ(facts.subsystem_device, 0x16c1);
  EXPECT_EQ(facts.class_code, 0x030200U);
  EXPECT_EQ(facts.revision, 0xa1);
  EXPECT_EQ(facts.memory_decode, false);
  EXPECT_EQ(facts.bus_master, true);
}

TEST(ConfigSpace, ReadsBarsOfEachKind) {
  const auto bars = decode(ConfigSpaceBuilder()
                               .bar32(0, 0xfe000000)
                               .io_bar(1, 0xc040)
                               .bar64(2, 0x4000080000, true)
                               .bar32(5, 0xd0000000, true)
                               .bytes())
                        .bars;
  ASSERT_EQ(bars.size(), 4U);
  const Bar memory{.index = 0, .cpu_address = {}, .bus_address = BusAddress{0xfe000000}, .size = {}, .is_assigned = true};
  EXPECT_EQ(bars[0], memory);
  const Bar io{
      .index = 1, .cpu_address = {}, .bus_address = BusAddress{0xc040}, .size = {}, .is_memory = false, .is_assigned = true};
  EXPECT_EQ(bars[1], io);
  const Bar wide{.index = 2,
                 .cpu_address = {},
                 .bus_address = BusAddress{0x4000080000},
                 .size = {},
                 .is_64bit = true,
                 .is_prefetchable = true,
                 .is_assigned = true};
  EXPECT_EQ(bars[2], wide);
  EXPECT_EQ(bars[3].index, 5);
  EXPECT_TRUE(bars[3].is_prefetchable);
}

TEST(ConfigSpace, KeepsABarWithoutAddressAsUnassigned) {
  const auto bars = decode(ConfigSpaceBuilder().bar64(2, 0, true).bytes()).bars;
  ASSERT_EQ(bars.size(), 1U);
  EXPECT_FALSE(bars[0].is_assigned);
  EXPECT_FALSE(bars[0].bus_address);
}

TEST(ConfigSpace, GivesNoAddressToA64BitBarInTheLastRegister) {
  const auto bars = decode(ConfigSpaceBuilder().set32(0x24, 0xd0000004).bytes()).bars;
  ASSERT_EQ(bars.size(), 1U);
  EXPECT_TRUE(bars[0].is_64bit);
  EXPECT_FALSE(bars[0].is_assigned);
}

TEST(ConfigSpace, DoesNotTakeBusNumbersOfABridgeForBars) {
  const auto facts = decode(ConfigSpaceBuilder().bar32(0, 0xfe000000).bridge(0, 0x17, 0x19).bytes());
  EXPECT_EQ(facts.bars.size(), 1U);
  ASSERT_TRUE(facts.bridge);
  EXPECT_EQ(facts.bridge->secondary_bus, 0x17);
  EXPECT_EQ(facts.bridge->subordinate_bus, 0x19);
}

TEST(ConfigSpace, ReadsBridgeWindows) {
  const auto facts = decode(ConfigSpaceBuilder()
                                .bridge(0, 1, 1)
                                .memory_window(0xfe000000, 0xfe1fffff)
                                .prefetchable_window(0x4000000000, 0x40ffffffff)
                                .bytes());
  EXPECT_EQ(facts.bridge->memory, make_range(BusAddress{0xfe000000}, Bytes{0x200000}));
  EXPECT_EQ(facts.bridge->prefetchable, make_range(BusAddress{0x4000000000}, Bytes{0x100000000}));
}

TEST(ConfigSpace, ReadsAClosedWindowAsNone) {
  const auto facts = decode(ConfigSpaceBuilder().bridge(0, 1, 1).bytes());
  ASSERT_TRUE(facts.bridge);
  EXPECT_FALSE(facts.bridge->memory);
  EXPECT_FALSE(facts.bridge->prefetchable);
}

TEST(ConfigSpace, KeepsAWindowOverAllOf64Bits) {
  const auto facts = decode(ConfigSpaceBuilder().bridge(0, 1, 1).prefetchable_window(0, ~0ULL).bytes());
  ASSERT_TRUE(facts.bridge->prefetchable);
  EXPECT_EQ(facts.bridge->prefetchable->begin.value, 0U);
  EXPECT_EQ(facts.bridge->prefetchable->length.value, ~0ULL);
}

TEST(ConfigSpace, KnowsThePortTypes) {
  const auto type = [](unsigned code) { return decode(ConfigSpaceBuilder().pcie(code).bytes()).port_type; };
  EXPECT_EQ(type(0), PortType::endpoint);
  EXPECT_EQ(type(1), PortType::legacy_endpoint);
  EXPECT_EQ(type(4), PortType::root_port);
  EXPECT_EQ(type(5), PortType::switch_upstream);
  EXPECT_EQ(type(6), PortType::switch_downstream);
  EXPECT_EQ(type(7), PortType::pcie_to_pci_bridge);
  EXPECT_EQ(type(8), PortType::pci_to_pcie_bridge);
  EXPECT_EQ(type(9), PortType::root_complex_endpoint);
  EXPECT_EQ(type(10), PortType::root_complex_event_collector);
  EXPECT_EQ(type(3), PortType::unknown);
}

TEST(ConfigSpace, ReadsTheLink) {
  const auto link = decode(ConfigSpaceBuilder().pcie(0, 3, 8, 5, 16).bytes()).link;
  EXPECT_EQ(link, (Link{.speed_mts = 8000, .width = 8, .max_speed_mts = 32000, .max_width = 16}));
}

TEST(ConfigSpace, SaysNoSpeedWhereThereIsNoLink) {
  const auto link = decode(ConfigSpaceBuilder().pcie(6, 1, 0, 4, 16).bytes()).link;
  EXPECT_EQ(link.speed_mts, 0U);
  EXPECT_EQ(link.max_speed_mts, 16000U);
}

TEST(ConfigSpace, GivesNoLinkToAnEndpointInsideTheRootComplex) {
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(9, 3, 8, 5, 16).bytes()).link, Link{});
}

TEST(ConfigSpace, LocatesTheMsixTableAndThePendingBits) {
  const auto msix = decode(ConfigSpaceBuilder().msix(65, 4, 0x2000, 1, 0x3000).bytes()).msix;
  ASSERT_TRUE(msix);
  EXPECT_EQ(*msix, (MsixLocation{.table_bar = 4,
                                 .table_offset = Bytes{0x2000},
                                 .table_length = Bytes{65 * 16},
                                 .pba_bar = 1,
                                 .pba_offset = Bytes{0x3000},
                                 .pba_length = Bytes{16}}));
}

TEST(ConfigSpace, DropsAnMsixTableInABarThatCannotExist) {
  ASSERT_TRUE(decode(ConfigSpaceBuilder().msix(1, 5, 0, 0, 0).bytes()).msix);
  EXPECT_FALSE(decode(ConfigSpaceBuilder().msix(1, 6, 0, 0, 0).bytes()).msix);
  EXPECT_FALSE(decode(ConfigSpaceBuilder().msix(1, 0, 0, 7, 0).bytes()).msix);
}

TEST(ConfigSpace, ReadsThePowerState) {
  EXPECT_EQ(decode(ConfigSpaceBuilder().power(0).bytes()).power_state, PowerState::d0);
  EXPECT_EQ(decode(ConfigSpaceBuilder().power(3).bytes()).power_state, PowerState::d3hot);
}

TEST(ConfigSpace, ReadsAcsAndAts) {
  const auto facts = decode(ConfigSpaceBuilder().pcie(6).ats(true).acs(0x1f, 0x1d).bytes());
  EXPECT_EQ(facts.acs, (Acs{.state = Acs::State::present, .capability = 0x1f, .control = 0x1d}));
  EXPECT_EQ(facts.ats_enabled, true);
}

// platform-knowledge §6.2: anywhere in the list, before or after another capability of the vendor.
TEST(ConfigSpace, ReadsTheCliqueWhereverItIs) {
  const auto gpu = ConfigSpaceBuilder().ids(0x10de, 0x2330).pcie(0);
  const auto with = [&](auto change) {
    auto copy = gpu;
    change(copy);
    return decode(copy.bytes()).clique;
  };
  using Builder = ConfigSpaceBuilder;
  EXPECT_EQ(with([](Builder& b) { b.clique(0); }), 0);
  EXPECT_EQ(with([](Builder& b) { b.vendor_specific(20).msix(8, 0, 0, 0, 0x800).clique(15); }), 15);
  EXPECT_EQ(with([](Builder& b) { b.clique(7).vendor_specific(20); }), 7);
  EXPECT_EQ(with([](Builder& b) { b.clique(7).clique(7); }), 7);
  EXPECT_EQ(with([](Builder& b) { b.clique(7).clique(6); }), std::nullopt) << "two that differ say nothing";
  EXPECT_EQ(with([](Builder& b) { b.vendor_specific(8); }), std::nullopt);
  EXPECT_EQ(with([](Builder& b) { b.ids(0x1234, 0x2330).clique(7); }), std::nullopt);
}

TEST(ConfigSpace, KnowsNoCliqueOfAnotherLayout) {
  for (const auto& [offset, value] : {std::pair{2U, 9U}, {3U, 'p'}, {4U, '3'}, {5U, 'p'}, {6U, 0x39U}, {6U, 0xb8U}, {7U, 1U}}) {
    auto gpu = ConfigSpaceBuilder().ids(0x10de, 0x2330).clique(7);
    ASSERT_EQ(decode(gpu.bytes()).clique, 7);
    EXPECT_EQ(decode(gpu.set8(0x40 + offset, static_cast<std::uint8_t>(value)).bytes()).clique, std::nullopt) << offset;
  }
}

TEST(ConfigSpace, ReadsWhatFollowsTheAcsControlWhereItMeansSomething) {
  const auto next = [](std::uint16_t vendor, unsigned type, std::uint16_t capability) {
    return decode(ConfigSpaceBuilder().ids(vendor, 0xa110).pcie(type).acs(capability, 0).set32(0x108, 0x1d).bytes())
        .acs.next_dword;
  };
  EXPECT_EQ(next(0x8086, 4, 0x1f), 0x1dU);
  EXPECT_EQ(next(0x1234, 4, 0x1f), std::nullopt) << "only Intel has such ports";
  EXPECT_EQ(next(0x8086, 6, 0x1f), std::nullopt);
}

TEST(ConfigSpace, SaysAcsIsAbsentOnlyAfterReadingTheWholeList) {
  const auto facts = decode(ConfigSpaceBuilder().pcie(6).ats(false).bytes());
  EXPECT_EQ(facts.acs.state, Acs::State::absent);
  EXPECT_EQ(facts.ats_enabled, false);
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(6).bytes()).acs.state, Acs::State::absent);
}

TEST(ConfigSpace, SaysAcsIsUnknownWhenExtendedSpaceIsCutOff) {
  const auto port = ConfigSpaceBuilder().pcie(6).acs(0x1f, 0x1d);
  ASSERT_EQ(decode(port.bytes(4096)).acs.state, Acs::State::present);
  for (const std::size_t readable : {256U, 64U}) {
    EXPECT_EQ(decode(port.bytes(readable)).acs.state, Acs::State::unknown) << readable;
    EXPECT_FALSE(decode(port.bytes(readable)).ats_enabled) << readable;
  }
}

TEST(ConfigSpace, SaysThePortTypeIsUnknownWhenTheListIsCutOff) {
  const auto port = ConfigSpaceBuilder().pcie(6);
  ASSERT_EQ(decode(port.bytes(256)).port_type, PortType::switch_downstream);
  EXPECT_EQ(decode(port.bytes(64)).port_type, PortType::unknown);
}

TEST(ConfigSpace, SaysAcsIsUnknownWhenExtendedSpaceReadsAllOnes) {
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(6).set32(0x100, 0xffffffff).bytes()).acs.state, Acs::State::unknown);
}

TEST(ConfigSpace, KnowsThatConventionalFunctionsHaveNoAcs) {
  const auto facts = decode(ConfigSpaceBuilder().power(0).bytes(256));
  EXPECT_EQ(facts.port_type, PortType::conventional);
  EXPECT_EQ(facts.acs.state, Acs::State::absent);
  // Without any list the header alone says so.
  EXPECT_EQ(decode(ConfigSpaceBuilder().bytes(64)).port_type, PortType::conventional);
}

TEST(ConfigSpace, EndsWhenTheCapabilityListLoops) {
  auto builder = ConfigSpaceBuilder().power(0);
  ASSERT_EQ(decode(builder.bytes()).port_type, PortType::conventional);
  builder.set8(0x41, 0x40);  // the capability is its own successor
  EXPECT_EQ(decode(builder.bytes()).port_type, PortType::unknown);
}

TEST(ConfigSpace, EndsWhenTheExtendedListLoops) {
  auto builder = ConfigSpaceBuilder().pcie(6).ats(false).set16(0x102, 0x1001);
  EXPECT_EQ(decode(builder.bytes()).acs.state, Acs::State::unknown);
}

TEST(ConfigSpace, DoesNotFollowAPointerIntoTheHeader) {
  auto builder = ConfigSpaceBuilder().power(0).set8(0x41, 0x10);
  EXPECT_EQ(decode(builder.bytes()).port_type, PortType::unknown);
}

TEST(ConfigSpace, TellsAFunctionThatIsGone) {
  EXPECT_FALSE(decode(std::vector<std::uint8_t>(4096, 0xff)).responds);
  EXPECT_FALSE(decode({}).responds);
}

TEST(ConfigSpace, TellsAVirtualFunctionFromOneThatIsGone) {
  EXPECT_TRUE(decode(ConfigSpaceBuilder().ids(0xffff, 0xffff).class_code(0x020000).bytes()).responds);
}

TEST(ConfigSpace, ReadsTheSubsystemOfABridgeFromItsCapability) {
  auto builder =
      ConfigSpaceBuilder().bridge(0, 1, 1).power(0).set8(0x41, 0x80).set8(0x80, 0x0d).set16(0x84, 0x1028).set16(0x86, 0x0abc);
  const auto facts = decode(builder.bytes());
  EXPECT_EQ(facts.subsystem_vendor, 0x1028);
  EXPECT_EQ(facts.subsystem_device, 0x0abc);
}

TEST(Sriov, ReadsWhatThePfSaysAboutItsVfs) {
  const auto facts = decode(ConfigSpaceBuilder()
                                .pcie(0)
                                .sriov({.count = 4, .first_offset = 8, .stride = 2, .device = 0x1889, .bar0 = 0x4000000000})
                                .bytes());
  ASSERT_TRUE(facts.sriov);
  EXPECT_TRUE(facts.sriov->is_enabled);
  EXPECT_TRUE(facts.sriov->memory_decode);
  EXPECT_EQ(facts.sriov->count, 4);
  EXPECT_EQ(facts.sriov->device, 0x1889);
  ASSERT_EQ(facts.sriov->bars.size(), 1U);
  EXPECT_EQ(facts.sriov->bars[0].bus_address, BusAddress{0x4000000000});
}

TEST(Sriov, NumbersVfsAcrossBuses) {
  const Sriov sriov{.is_enabled = true, .count = 200, .first_offset = 128, .stride = 2, .bars = {}};
  const Address physical{0, 0x3b, 0, 1};
  EXPECT_EQ(virtual_function_index(physical, sriov, {0, 0x3b, 16, 1}), 0U);
  EXPECT_EQ(virtual_function_index(physical, sriov, {0, 0x3b, 16, 3}), 1U);
  EXPECT_EQ(virtual_function_index(physical, sriov, {0, 0x3c, 0, 1}), 64U);
  EXPECT_FALSE(virtual_function_index(physical, sriov, {0, 0x3b, 16, 2}));  // between two
  EXPECT_FALSE(virtual_function_index(physical, sriov, {1, 0x3b, 16, 1}));  // another domain
  EXPECT_FALSE(virtual_function_index(physical, sriov, {0, 0x3f, 0, 1}));   // behind the last
  EXPECT_FALSE(virtual_function_index(physical, sriov, physical));
}

TEST(Sriov, PlacesTheBarOfEachVf) {
  const Sriov sriov{.is_enabled = true,
                    .memory_decode = true,
                    .count = 4,
                    .first_offset = 1,
                    .stride = 1,
                    .bars = {Bar{.index = 0, .cpu_address = {}, .bus_address = BusAddress{0x4000000000}, .size = {}}}};
  Function third;
  third.bars = {Bar{.index = 0, .cpu_address = {}, .bus_address = {}, .size = Bytes{0x4000}}};
  complete_virtual_function(third, sriov, 2);
  EXPECT_EQ(third.bars[0].bus_address, BusAddress{0x4000008000});
  EXPECT_EQ(third.memory_decode, true);
}

TEST(Sriov, DoesNotGuessTheBarOfAVfWithoutASize) {
  const Sriov sriov{.is_enabled = true,
                    .count = 4,
                    .first_offset = 1,
                    .stride = 1,
                    .bars = {Bar{.index = 0, .cpu_address = {}, .bus_address = BusAddress{0x4000000000}, .size = {}}}};
  Function second;
  second.bars = {Bar{.index = 0, .cpu_address = {}, .bus_address = {}, .size = {}}};
  complete_virtual_function(second, sriov, 0);
  ASSERT_TRUE(second.bars[0].bus_address);
  second.bars[0].bus_address.reset();
  complete_virtual_function(second, sriov, 1);
  EXPECT_FALSE(second.bars[0].bus_address);
}

std::vector<std::uint8_t> random_space() {
  auto bytes = *rc::gen::container<std::vector<std::uint8_t>>(512, rc::gen::arbitrary<std::uint8_t>());
  bytes.resize(4096);
  // Real lists, so that the random bytes are reached through them; sometimes none.
  bytes[0x06] |= 0x10;
  bytes[0x34] = *rc::gen::elementOf(std::vector<std::uint8_t>{0x40, 0x50, 0x00, 0xfc, 0x41});
  bytes[bytes[0x34] & 0xfc] = *rc::gen::elementOf(std::vector<std::uint8_t>{0x01, 0x10, 0x11, 0xff});
  bytes[0x0e] &= 0x83;
  return bytes;
}

RC_GTEST_PROP(ConfigSpaceProperty, NeverKnowsLessThanACutOffReadingOfTheSameBytes, ()) {
  const auto bytes = random_space();
  const auto readable = *rc::gen::inRange<std::size_t>(0, bytes.size());
  const auto whole = decode(bytes);
  const auto cut = decode({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(readable)});
  const auto unknown_or_equal = [](const auto& value, const auto& unknown, const auto& full) {
    return value == unknown || value == full;
  };
  RC_ASSERT(unknown_or_equal(cut.port_type, PortType::unknown, whole.port_type));
  RC_ASSERT(unknown_or_equal(cut.power_state, PowerState::unknown, whole.power_state));
  RC_ASSERT(unknown_or_equal(cut.memory_decode, std::optional<bool>(), whole.memory_decode));
  RC_ASSERT(unknown_or_equal(cut.bus_master, std::optional<bool>(), whole.bus_master));
  RC_ASSERT(unknown_or_equal(cut.ats_enabled, std::optional<bool>(), whole.ats_enabled));
  RC_ASSERT(unknown_or_equal(cut.msix, std::optional<MsixLocation>(), whole.msix));
  RC_ASSERT(unknown_or_equal(cut.acs, Acs{}, whole.acs));
  RC_ASSERT(cut.bars.size() <= whole.bars.size());
}

RC_GTEST_PROP(ConfigSpaceProperty, AcsThatIsCutOffIsNeverAbsent, ()) {
  const auto before = *rc::gen::inRange(0, 20);
  auto builder = ConfigSpaceBuilder().pcie(6);
  for (int count = 0; count < before; ++count) builder.ats(false);
  const auto bytes = builder.acs(0x1f, 0x1d).bytes();
  const auto readable = *rc::gen::inRange<std::size_t>(64, bytes.size());
  const auto cut = decode({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(readable)});
  RC_ASSERT(cut.acs.state != Acs::State::absent);
}

}  // namespace
}  // namespace p2pd::test
