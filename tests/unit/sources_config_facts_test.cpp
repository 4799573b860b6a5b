// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the rules need of the PCI Express capability and of ACS, and that all ones are no answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config_space_builder.h"
#include "sources/config_space.h"
#include "sources/source.h"

namespace p2pd::test {

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr unsigned endpoint = 0;
constexpr unsigned downstream = 6;
// The builder puts the first capability of each list there.
constexpr unsigned pcie = 0x40;
constexpr unsigned acs = 0x100;
constexpr std::uint16_t egress_control = Acs::egress_control;

ConfigFacts decode(const ConfigSpaceBuilder& config, std::size_t readable = 4096) {
  const auto bytes = config.bytes(readable);
  return decode_config(ConfigBytes(bytes));
}

TEST(ConfigFacts, ReadTheMaxPayloadSize) {
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(endpoint)).max_payload, 128);
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(endpoint).set16(pcie + 8, 2 << 5)).max_payload, 512);
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(endpoint).set16(pcie + 8, 7 << 5)).max_payload, std::nullopt) << "reserved";
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(endpoint).set32(pcie + 8, 0xffffffff)).max_payload, std::nullopt);
}

TEST(ConfigFacts, ReadAtomicOpsWhereTheCapabilityHasThem) {
  auto config = ConfigSpaceBuilder().pcie(downstream).set32(pcie + 0x24, 0x40 | 0x80).set32(pcie + 0x28, 0x80);
  const AtomicOps ops{.routes = true, .completes = true, .is_requester = false, .is_egress_blocked = true};
  EXPECT_EQ(decode(config).atomic_ops, ops);
  config.set16(pcie + 2, 1 | (downstream << 4));  // version 1 of the capability ends before
  EXPECT_EQ(decode(config).atomic_ops, std::nullopt);
}

TEST(ConfigFacts, ReadWhatIsSaidOfTenBitTags) {
  const auto tags = [](const ConfigSpaceBuilder& config, std::size_t readable = 4096) {
    const auto facts = decode(config, readable);
    return std::pair{facts.sends_ten_bit_tags, facts.completes_ten_bit_tags};
  };
  const auto express = [] { return ConfigSpaceBuilder().pcie(endpoint); };
  using Tags = std::pair<std::optional<bool>, std::optional<bool>>;
  EXPECT_EQ(tags(express()), Tags(false, false));
  EXPECT_EQ(tags(express().set32(pcie + 0x24, 0x1'0000)), Tags(false, true));
  EXPECT_EQ(tags(express().set32(pcie + 0x24, 0x2'0000).set32(pcie + 0x28, 0x1000)), Tags(true, false));
  EXPECT_EQ(tags(express().set32(pcie + 0x24, 0xffffffff)), Tags(false, std::nullopt));
  EXPECT_EQ(tags(express().set32(pcie + 0x28, 0xffffffff)), Tags(std::nullopt, false));
  EXPECT_EQ(tags(express().set32(pcie + 0x24, 0x1'0000), pcie + 0x28), Tags(std::nullopt, true));
  EXPECT_EQ(tags(express().set16(pcie + 2, 1).set32(pcie + 0x28, 0x1000)), Tags(false, false)) << "version 1 has none";
  EXPECT_EQ(tags(ConfigSpaceBuilder()), Tags()) << "conventional";
}

// In a VF the bit is reserved: its PF's SR-IOV control has it for all of them.
TEST(ConfigFacts, OfAVirtualFunctionSayNothingOfTheTagsThatItSends) {
  const auto physical = [](std::uint16_t control) {
    constexpr unsigned sriov = 0x100;
    return ConfigSpaceBuilder().pcie(endpoint).sriov({.count = 1, .device = 0x1018}).set16(sriov + 8, control);
  };
  const auto virtual_one =
      ConfigSpaceBuilder().ids(0xffff, 0xffff).class_code(0x020000).pcie(endpoint).set32(pcie + 0x24, 0x1'0000);
  const auto in_dump = [&](const std::string& before) {
    const auto machine = parse_dump(before + dump_of("03:00.1 Ethernet controller: a VF", virtual_one.bytes()));
    EXPECT_TRUE(machine);
    const auto* found = machine ? machine->find({0, 3, 0, 1}) : nullptr;
    EXPECT_NE(found, nullptr);
    return found != nullptr ? std::pair{found->sends_ten_bit_tags, found->completes_ten_bit_tags}
                            : std::pair<std::optional<bool>, std::optional<bool>>();
  };
  const auto below = [&](std::uint16_t control) {
    return in_dump(dump_of("03:00.0 Ethernet controller: its PF", physical(control).bytes()));
  };
  using Tags = std::pair<std::optional<bool>, std::optional<bool>>;
  EXPECT_EQ(below(0x0009), Tags(false, true));
  EXPECT_EQ(below(0x0029), Tags(true, true));
  EXPECT_EQ(in_dump(""), Tags(std::nullopt, true));
}

TEST(ConfigFacts, TellAtsThatIsOffFromAtsThatIsNotThere) {
  EXPECT_TRUE(decode(ConfigSpaceBuilder().pcie(endpoint).ats(false)).has_ats);
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(endpoint).ats(false)).ats_enabled, false);
  EXPECT_FALSE(decode(ConfigSpaceBuilder().pcie(endpoint)).has_ats);
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(endpoint)).ats_enabled, false);
}

TEST(ConfigFacts, ReadThePortNumberOfPortsOnly) {
  const auto number = [](unsigned type) {
    return decode(ConfigSpaceBuilder().pcie(type).set32(pcie + 0x0c, 0x05000000)).port_number;
  };
  EXPECT_EQ(number(downstream), 5);
  EXPECT_EQ(number(endpoint), std::nullopt);
}

TEST(ConfigFacts, TakeAnAcsDwordOfAllOnesForUnread) {
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(downstream).acs(0x7f, 0x1d)).acs.state, Acs::State::present);
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(downstream).acs(0xffff, 0xffff)).acs.state, Acs::State::unknown);
}

TEST(ConfigFacts, ReadTheEgressControlVectorWhereEgressControlIsOn) {
  const auto vector = [](std::uint16_t control, std::size_t readable = 4096) {
    return decode(ConfigSpaceBuilder().pcie(downstream).acs(0x287f, control).set32(acs + 8, 0x12).set32(acs + 12, 0x80), readable)
        .acs.egress;
  };
  EXPECT_THAT(vector(egress_control), ElementsAre(0x12, 0x80));  // 0x28 = 40 bits
  EXPECT_THAT(vector(0), IsEmpty());
  EXPECT_THAT(vector(egress_control, acs + 12), ElementsAre(0x12));
}

TEST(ConfigFacts, DoNotReadAVectorThatMayCountGroupsOfFunctions) {
  // Another capability comes first.
  const auto vector = [](std::uint16_t other) {
    constexpr unsigned second = acs + 8;
    const auto config = ConfigSpaceBuilder().pcie(endpoint).ats(false).acs(0x087f, egress_control);
    return decode(ConfigSpaceBuilder(config).set16(acs, other).set32(second + 8, 0x12)).acs.egress;
  };
  EXPECT_THAT(vector(0x000f), ElementsAre(0x12));
  EXPECT_THAT(vector(0x000e), IsEmpty());  // ARI
}

TEST(ConfigFacts, TakeZerosThatAListLeadsToForBytesThatWereLeftOut) {
  const auto config = ConfigSpaceBuilder().pcie(endpoint).acs(0x7f, 0).ats(false);
  ASSERT_EQ(decode(config).port_type, PortType::endpoint);
  auto masked = config;
  for (unsigned offset = 0x40; offset < 0x1000; offset += 4) masked.set32(offset, 0);
  EXPECT_EQ(decode(masked).port_type, PortType::unknown);
  EXPECT_TRUE(decode(masked).has_unread_capabilities);

  auto extended = ConfigSpaceBuilder().pcie(endpoint).ats(false).sriov({});
  ASSERT_EQ(decode(extended).acs.state, Acs::State::absent);
  EXPECT_EQ(decode(extended.set32(acs + 8, 0)).acs.state, Acs::State::unknown);
}

TEST(ConfigFacts, TakeACommandOfAllOnesForUnread) {
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(endpoint).command(6)).memory_decode, true);
  EXPECT_EQ(decode(ConfigSpaceBuilder().pcie(endpoint).set32(4, 0xffffffff)).memory_decode, std::nullopt);
}

TEST(ConfigFacts, SayWhenACapabilityListBreaksOff) {
  const auto config = ConfigSpaceBuilder().pcie(endpoint).msix(8, 0, 0, 0, 0x800);
  EXPECT_FALSE(decode(config).has_unread_capabilities);
  EXPECT_TRUE(decode(config).msix.has_value());
  EXPECT_TRUE(decode(config, pcie + 4).has_unread_capabilities);
  EXPECT_TRUE(decode(config, 64).has_unread_capabilities);
  EXPECT_FALSE(decode(ConfigSpaceBuilder()).has_unread_capabilities) << "a function without capabilities";
}

}  // namespace

}  // namespace p2pd::test
