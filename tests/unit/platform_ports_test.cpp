// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the shipped entries come to for a function.
#include <gtest/gtest.h>

#include "builders.h"
#include "platform/ports.h"
#include "platform/tables.h"

namespace p2pd::test {

namespace {

constexpr unsigned kernel_7_3 = 7003;

Function a_function(PortType type, std::uint16_t vendor, std::uint16_t device) {
  Node node("0000:00:1c.0", type);
  ids(vendor, device)(node.function());
  return node.function();
}

// Intel 100 series datasheet volume 2, 12.1.46: capability and control are dwords.
TEST(ChipsetPort, HasItsControlInTheNextDword) {
  auto port = a_function(PortType::root_port, 0x8086, 0xa110);
  port.acs = {Acs::State::present, 0x1d, 0, 0x1d};
  EXPECT_FALSE(port.acs.redirects()) << "as p2pdma and lspci read it";
  const auto found = find_port(shipped_tables(), kernel_7_3, port);
  ASSERT_NE(found.chipset, nullptr);
  EXPECT_TRUE(found.acs.redirects());
  EXPECT_EQ(found.acs.control, 0x1d);

  port.acs.next_dword = 0;
  EXPECT_FALSE(find_port(shipped_tables(), kernel_7_3, port).acs.redirects());
}

TEST(ChipsetPort, IsUnknownWhereItsControlWasNotRead) {
  auto port = a_function(PortType::root_port, 0x8086, 0xa2e7);
  port.acs = {Acs::State::present, 0x1d, 0, {}};
  EXPECT_EQ(find_port(shipped_tables(), kernel_7_3, port).acs.state, Acs::State::unknown);
}

TEST(ChipsetPort, IsARootPortOnly) {
  auto other = a_function(PortType::endpoint, 0x8086, 0xa110);
  other.acs = {Acs::State::present, 0x1d, 0, 0x1d};
  EXPECT_EQ(find_port(shipped_tables(), kernel_7_3, other).chipset, nullptr);
}

TEST(IsolatedPort, RedirectsWithoutACapability) {
  const auto found = find_port(shipped_tables(), kernel_7_3, a_function(PortType::root_port, 0x1def, 0xe005));
  ASSERT_NE(found.isolated, nullptr);
  EXPECT_TRUE(found.isolated->has_no_peers) << "Ampere: root ports do not allow peer-to-peer with others";
  EXPECT_TRUE(found.acs.redirects());
}

TEST(IsolatedPort, IsAFunctionOfANetworkControllerToo) {
  const auto i350 = find_port(shipped_tables(), kernel_7_3, a_function(PortType::endpoint, 0x8086, 0x1521));
  ASSERT_NE(i350.isolated, nullptr);
  EXPECT_FALSE(i350.isolated->has_no_peers);
  EXPECT_TRUE(i350.acs.redirects());
  EXPECT_EQ(find_port(shipped_tables(), kernel_7_3, a_function(PortType::endpoint, 0x8086, 0x1525)).isolated, nullptr);
}

TEST(IsolatedPort, IsEveryRootComplexEndpointOfIntel) {
  EXPECT_NE(find_port(shipped_tables(), kernel_7_3, a_function(PortType::root_complex_endpoint, 0x8086, 0x1234)).isolated,
            nullptr);
  EXPECT_EQ(find_port(shipped_tables(), kernel_7_3, a_function(PortType::endpoint, 0x8086, 0x1234)).isolated, nullptr);
  EXPECT_EQ(find_port(shipped_tables(), kernel_7_3, a_function(PortType::root_complex_endpoint, 0x1022, 0x1234)).isolated,
            nullptr);
}

TEST(Port, IsAsItsAcsSaysWhereNoFileKnowsBetter) {
  auto port = a_function(PortType::root_port, 0x1022, 0x1483);
  port.acs = {Acs::State::present, 0x5f, 0x01, {}};
  const auto found = find_port(shipped_tables(), kernel_7_3, port);
  EXPECT_EQ(found.acs, port.acs);
  EXPECT_EQ(found.isolated, nullptr);
  EXPECT_EQ(found.chipset, nullptr);
}

TEST(Machine, KnowsItsPortsOnceTheTablesAreAsked) {
  const Machine read = a_machine().with(a_root_port("0000:00:1c.0").with(ids(0x1def, 0xe005), an_endpoint("0000:01:00.0")));
  const auto known = with_known_ports(read, shipped_tables());
  const auto& port = *known.find(at("0000:00:1c.0"));
  EXPECT_TRUE(port.acs.redirects());
  EXPECT_FALSE(port.acs_by_standard().redirects()) << "the kernel sees none";
  EXPECT_EQ(*known.find(at("0000:01:00.0")), *read.find(at("0000:01:00.0")));
  EXPECT_EQ(with_known_ports(known, shipped_tables()), known);
  EXPECT_EQ(with_known_ports(known, {}), read) << "other tables, other knowledge";
}

TEST(Initiator, ReachesAsFarAsItsDriverHadToLearn) {
  const auto bits = [](std::uint16_t vendor, std::uint16_t device) {
    const auto* entry = find_initiator(shipped_tables(), kernel_7_3, a_function(PortType::endpoint, vendor, device));
    return entry == nullptr ? 0 : entry->address_bits;
  };
  EXPECT_EQ(bits(0x1d0f, 0xcd01), 48U);  // nvme/host/pci.c
  EXPECT_EQ(bits(0x1b21, 0x0612), 43U);  // ahci.c
  EXPECT_EQ(bits(0x1412, 0x1712), 28U);  // ice1712.c
  EXPECT_EQ(bits(0x197b, 0x0585), 32U);  // ahci.c
  EXPECT_EQ(bits(0x1285, 0x0100), 28U);  // es1968.c: of the vendor that ESS bought
  EXPECT_EQ(bits(0x125d, 0x0100), 0U);
  EXPECT_EQ(bits(0x1b21, 0x1166), 0U);
}

// ---- several entries for one device

About about(bool is_unsafe = false) {
  return {.what = "a device", .source = "a test", .place = "x.toml:1", .is_unsafe = is_unsafe};
}

TEST(Initiator, OfWhichTwoEntriesSpeakReachesAsFarAsTheNarrower) {
  const Which which{.ids = {{0x1234, 1, 1}}, .port_types = {}};
  PlatformTables tables;
  tables.initiators = {{which, 48, about()}, {which, 32, about()}, {which, 40, about()}};
  const auto device = a_function(PortType::endpoint, 0x1234, 1);
  EXPECT_EQ(find_initiator(tables, kernel_7_3, device)->address_bits, 32U);
  tables.initiators.push_back({which, 64, about(true)});
  EXPECT_EQ(find_initiator(tables, kernel_7_3, device)->address_bits, 64U) << "an operator answers for it";
}

TEST(RootComplexEntry, OfSeveralTheMostCarefulDecides) {
  const std::vector<IdRange> bridge{{0x1234, 1, 1}};
  PlatformTables tables;
  tables.root_complexes = {{bridge, Tristate::yes, Tristate::yes, false, about()},
                           {bridge, Tristate::unknown, Tristate::no, false, about()},
                           {bridge, Tristate::yes, Tristate::unknown, false, about()}};
  const auto first = a_function(PortType::conventional, 0x1234, 1);
  EXPECT_EQ(find_root_complex(tables, kernel_7_3, first), &tables.root_complexes[1]);
  tables.root_complexes.push_back({bridge, Tristate::yes, Tristate::yes, true, about(true)});
  EXPECT_EQ(find_root_complex(tables, kernel_7_3, first), &tables.root_complexes[3]);
  EXPECT_EQ(find_root_complex(tables, kernel_7_3, a_function(PortType::conventional, 0x1234, 2)), nullptr);
}

TEST(RootComplexEntry, CountsForItsKernelsOnly) {
  PlatformTables tables;
  auto entry = RootComplexEntry{{{0x1234, 1, 1}}, Tristate::no, Tristate::no, false, about()};
  entry.about.since = 6012;
  entry.about.until = 7001;
  tables.root_complexes = {entry};
  const auto first = a_function(PortType::conventional, 0x1234, 1);
  EXPECT_EQ(find_root_complex(tables, 6011, first), nullptr);
  EXPECT_NE(find_root_complex(tables, 6012, first), nullptr);
  EXPECT_NE(find_root_complex(tables, 7001, first), nullptr);
  EXPECT_EQ(find_root_complex(tables, 7002, first), nullptr);
}

}  // namespace

}  // namespace p2pd::test
