// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mapping/iova.h"

namespace p2pd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr std::uint64_t KiB = 1024;
constexpr std::uint64_t MiB = 1024 * KiB;
constexpr std::uint64_t GiB = 1024 * MiB;

Range<Iova> range(std::uint64_t begin, std::uint64_t length) { return {Iova{begin}, Bytes{length}}; }

// QEMU's intel-iommu: 39 bits without the MSI window.
std::vector<Range<Iova>> vtd() { return {range(0, 0xfee00000), range(0xfef00000, (512 * GiB) - 0xfef00000)}; }

TEST(IovaSpace, PrefersTheTopOf39Bits) {
  IovaSpace space(vtd(), {}, 64);
  EXPECT_EQ(space.take(Bytes{64 * KiB}).value(), range(512 * GiB - 64 * KiB, 64 * KiB));
}

TEST(IovaSpace, StaysWithinTheReachOfTheInitiator) {
  IovaSpace space(vtd(), {}, 28);
  EXPECT_EQ(space.take(Bytes{4 * KiB}).value(), range(256 * MiB - 4 * KiB, 4 * KiB));
}

TEST(IovaSpace, LeavesTheFirstMebibyteAloneWhileThereIsAnother) {
  IovaSpace space({range(0, 2 * MiB)}, {}, 21);
  EXPECT_EQ(space.take(Bytes{MiB}).value(), range(MiB, MiB));
  EXPECT_EQ(space.take(Bytes{MiB}).value(), range(0, MiB));
}

TEST(IovaSpace, GoesBeyond39BitsWhenThereIsNothingBelow) {
  IovaSpace space({range(GiB << 10, GiB << 10)}, {}, 64);
  EXPECT_EQ(space.take(Bytes{4 * KiB}).value(), range((GiB << 11) - 4 * KiB, 4 * KiB));
}

TEST(IovaSpace, AlignsToTheSizeRoundedUpToAPowerOfTwo) {
  IovaSpace space({range(0, 64 * MiB + 4 * KiB)}, {}, 64);
  EXPECT_EQ(space.take(Bytes{3 * MiB}).value(), range(60 * MiB, 3 * MiB));
}

TEST(IovaSpace, AlignsToNoMoreThanOneGibibyte) {
  IovaSpace space({range(0, 8 * GiB)}, {}, 64);
  EXPECT_EQ(space.take(Bytes{3 * GiB}).value(), range(5 * GiB, 3 * GiB));
}

TEST(IovaSpace, TakesAnyPagesWhereNoAlignedOnesAreFree) {
  IovaSpace space({range(0, 4 * MiB)}, {range(0, 4 * KiB), range(2 * MiB - 4 * KiB, 8 * KiB)}, 64);
  EXPECT_EQ(space.take(Bytes{MiB}).value(), range(3 * MiB, MiB)) << "aligned while there is such a place";
  EXPECT_EQ(space.take(Bytes{MiB + MiB / 2}).value(), range(MiB / 2 - 4 * KiB, MiB + MiB / 2));
  EXPECT_FALSE(space.take(Bytes{MiB}));
}

TEST(IovaSpace, StepsOverWhatIsForbiddenOrTaken) {
  IovaSpace space({range(0, 16 * MiB)}, {range(12 * MiB, 4 * MiB)}, 64);
  EXPECT_EQ(space.take(Bytes{MiB}).value(), range(11 * MiB, MiB));
  EXPECT_EQ(space.take(Bytes{MiB}).value(), range(10 * MiB, MiB));
}

TEST(IovaSpace, SaysWhenThereIsNoRoom) {
  IovaSpace space({range(0, 2 * MiB)}, {range(0, MiB)}, 64);
  ASSERT_TRUE(space.take(Bytes{MiB}));
  EXPECT_THAT(space.take(Bytes{4 * KiB}).error().text, testing::HasSubstr("no free IOVA range"));
}

TEST(IovaSpace, GivesOutAgainWhatWasGivenBack) {
  IovaSpace space({range(MiB, MiB)}, {}, 64);
  const auto first = space.take(Bytes{MiB}).value();
  ASSERT_FALSE(space.take(Bytes{4 * KiB}));
  space.give_back(first);
  EXPECT_EQ(space.take(Bytes{MiB}).value(), first);
}

TEST(IovaSpace, GivesBackOnlyWhatWasTaken) {
  IovaSpace space({range(MiB, MiB)}, {}, 64);
  ASSERT_TRUE(space.take(Bytes{MiB}));
  space.give_back(range(MiB, 4 * KiB));
  EXPECT_THAT(space.taken(), ElementsAre(range(MiB, MiB)));
}

TEST(IovaSpace, RefusesWhatIsNotWholePages) {
  IovaSpace space(vtd(), {}, 64);
  EXPECT_EQ(space.take(Bytes{0}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(space.take(Bytes{4097}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(space.take_at(range(0x100001, 4096), false).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(space.take_at(range(~0xfffULL, 8192), false).error().code, ErrorCode::invalid_argument);
}

TEST(IovaSpace, TakesWhatTheCallerWants) {
  IovaSpace space(vtd(), {}, 64);
  EXPECT_EQ(space.take_at(range(GiB, MiB), false).value(), range(GiB, MiB));
  EXPECT_THAT(space.taken(), ElementsAre(range(GiB, MiB)));
}

TEST(IovaSpace, RefusesAFixedAddressThatIsTaken) {
  IovaSpace space(vtd(), {}, 64);
  ASSERT_TRUE(space.take_at(range(GiB, MiB), false));
  EXPECT_EQ(space.take_at(range(GiB + MiB - 4096, 8192), false).error().code, ErrorCode::busy);
}

TEST(IovaSpace, RefusesAFixedAddressBeyondTheReach) {
  IovaSpace space(vtd(), {}, 28);
  EXPECT_EQ(space.take_at(range(256 * MiB - 4096, 8192), false).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(space.take_at(range(256 * MiB - 4096, 4096), false));
}

TEST(IovaSpace, RefusesAFixedAddressInABridgeWindowUnlessTheRouteIsASwitch) {
  IovaSpace space(vtd(), {range(0xe0000000, 16 * MiB)}, 64);
  EXPECT_EQ(space.take_at(range(0xe0100000, MiB), false).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(space.take_at(range(0xe0100000, MiB), true));
}

TEST(IovaSpace, RefusesTheMsiWindowEvenOnASwitchRoute) {
  IovaSpace space(vtd(), {}, 64);
  EXPECT_EQ(space.take_at(range(0xfee00000, 4096), true).error().code, ErrorCode::invalid_argument);
}

TEST(IovaSpace, HasNothingToGiveWithoutValidRanges) {
  IovaSpace space;
  EXPECT_FALSE(space.take(Bytes{4096}));
  EXPECT_FALSE(space.take_at(range(GiB, 4096), false));
}

// ---- what is forbidden

Function bridge(Address address, std::optional<Range<BusAddress>> memory, std::optional<Range<BusAddress>> prefetchable) {
  Function function;
  function.address = address;
  function.bridge = BridgeWindows{.secondary_bus = 0, .subordinate_bus = 0, .memory = memory, .prefetchable = prefetchable};
  return function;
}

Function endpoint(Address address, std::vector<Bar> bars) {
  Function function;
  function.address = address;
  function.bars = std::move(bars);
  return function;
}

Bar bar(std::uint64_t begin, std::uint64_t size) {
  return {.index = 0, .cpu_address = {}, .bus_address = BusAddress{begin}, .size = Bytes{size}, .is_assigned = true};
}

TEST(ForbiddenIovas, AreEveryBridgeWindowOfTheMachine) {
  auto vmd_child = bridge({0x10000, 0, 0, 0}, Range<BusAddress>{{0xb0000000}, {MiB}}, {});
  vmd_child.root_domain = 0x10000;
  const Machine machine({}, {bridge({0, 0, 1, 0}, Range<BusAddress>{{0xe0000000}, {MiB}}, Range<BusAddress>{{GiB << 9}, {GiB}}),
                             vmd_child, endpoint({0, 1, 0, 0}, {})});
  const auto forbidden = forbidden_iovas(machine, *machine.find({0, 1, 0, 0}));
  EXPECT_THAT(forbidden, testing::UnorderedElementsAre(range(0xe0000000, MiB), range(GiB << 9, GiB), range(0xb0000000, MiB)));
}

TEST(ForbiddenIovas, AreBarsOnTheRootBusToo) {
  const Machine machine({}, {endpoint({0, 0, 2, 0}, {bar(0xf0000000, 16 * MiB)}), endpoint({0, 1, 0, 0}, {})});
  EXPECT_THAT(forbidden_iovas(machine, *machine.find({0, 1, 0, 0})), ElementsAre(range(0xf0000000, 16 * MiB)));
}

TEST(ForbiddenIovas, AreTheReservedRegionsOfTheGroup) {
  auto initiator = endpoint({0, 1, 0, 0}, {});
  initiator.reserved_regions = {{range(0xfee00000, MiB), "msi"}, {range(0x7b800000, 8 * MiB), "direct-relaxable"}};
  const Machine machine({}, {initiator});
  EXPECT_THAT(forbidden_iovas(machine, *machine.find({0, 1, 0, 0})),
              ElementsAre(range(0xfee00000, MiB), range(0x7b800000, 8 * MiB)));
}

TEST(ForbiddenIovas, AreNoBarsThatNobodyDecodes) {
  auto ports = bar(0xc000, 256);
  ports.is_memory = false;
  auto unassigned = bar(0, MiB);
  unassigned.is_assigned = false;
  auto unknown_size = bar(0xf0000000, 0);
  const Machine machine({}, {endpoint({0, 1, 0, 0}, {ports, unassigned, unknown_size})});
  EXPECT_THAT(forbidden_iovas(machine, *machine.find({0, 1, 0, 0})), IsEmpty());
}

TEST(ForbiddenIovas, AreRespectedWhenTheyAreSmallerThanAPage) {
  const Machine machine({}, {endpoint({0, 0, 2, 0}, {bar(MiB + 0x100, 0x100)}), endpoint({0, 1, 0, 0}, {})});
  IovaSpace space({range(MiB, 8192)}, forbidden_iovas(machine, *machine.find({0, 1, 0, 0})), 64);
  EXPECT_EQ(space.take(Bytes{4096}).value(), range(MiB + 4096, 4096));
  EXPECT_FALSE(space.take(Bytes{4096}));
}

}  // namespace
}  // namespace p2pd
