// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builders.h"
#include "topology/topology.h"

namespace p2pd::test {

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Two root ports; below the first a switch with two ports, one with a device of two functions, and a nested switch.
Machine a_tree() {
  return a_machine().with(
      a_root_port("0000:00:02.0")
          .with(a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0").with(an_endpoint("0000:03:00.0"), an_endpoint("0000:03:00.1")),
                          a_port("0000:02:01.0").with(an_endpoint("0000:04:00.0")),
                          a_port("0000:02:02.0")
                              .with(a_switch("0000:05:00.0").with(a_port("0000:06:00.0").with(an_endpoint("0000:07:00.0")))))),
      a_root_port("0000:00:03.0").with(an_endpoint("0000:10:00.0"), a_virtual_function("0000:11:02.0", "0000:10:00.0")),
      an_endpoint("0000:00:1f.0"));
}

std::vector<std::string> names(std::span<const Function* const> functions) {
  std::vector<std::string> names;
  for (const auto* function : functions) names.push_back(function->address.to_string());
  return names;
}

// A path with the ways that it is made of.
struct Between {
  Between(const Machine& machine, std::string_view from, std::string_view to)
      : initiator(way_up(machine, *machine.find(at(from)))),
        target(way_up(machine, *machine.find(at(to)))),
        path(path_between(initiator, target)) {}
  Way initiator;
  Way target;
  Path path;
};

TEST(WayUp, EndsAtTheRootBus) {
  const auto machine = a_tree();
  EXPECT_THAT(names(way_up(machine, *machine.find(at("0000:04:00.0")))),
              ElementsAre("0000:04:00.0", "0000:02:01.0", "0000:01:00.0", "0000:00:02.0"));
}

TEST(WayUp, OfAVirtualFunctionIsThatOfItsPhysicalFunction) {
  auto functions = a_tree().functions();
  // Its own parent is not told: bus 11 is a virtual bus that no bridge names.
  for (auto& function : functions)
    if (function.physical_function) function.parent.reset();
  const Machine machine({}, functions);
  EXPECT_THAT(names(way_up(machine, *machine.find(at("0000:11:02.0")))), ElementsAre("0000:11:02.0", "0000:00:03.0"));
}

TEST(WayUp, EndsWhereTwoBridgesStandAboveEachOther) {
  auto functions = a_tree().functions();
  for (auto& function : functions)
    if (function.address == at("0000:00:02.0")) function.parent = at("0000:02:01.0");
  const Machine machine({}, functions);
  EXPECT_EQ(way_up(machine, *machine.find(at("0000:04:00.0"))).size(), 4U);
}

// K7.3 p2pdma.c, above calc_map_type_and_dist(): 0, 2 and 4.
struct Distance {
  const char* what;
  const char* from;
  const char* to;
  unsigned distance;
};

class CountsAsTheKernelDoes : public ::testing::TestWithParam<Distance> {};

TEST_P(CountsAsTheKernelDoes, InBothDirections) {
  const auto machine = a_tree();
  EXPECT_EQ(Between(machine, GetParam().from, GetParam().to).path.distance, GetParam().distance);
  EXPECT_EQ(Between(machine, GetParam().to, GetParam().from).path.distance, GetParam().distance);
}

INSTANTIATE_TEST_SUITE_P(Path, CountsAsTheKernelDoes,
                         ::testing::Values(Distance{"same_function", "0000:03:00.0", "0000:03:00.0", 0},
                                           Distance{"two_functions_under_one_port", "0000:03:00.0", "0000:03:00.1", 2},
                                           Distance{"two_devices_under_one_switch", "0000:03:00.0", "0000:04:00.0", 4},
                                           Distance{"nested_switches", "0000:03:00.0", "0000:07:00.0", 6},
                                           Distance{"vf_and_its_pf", "0000:10:00.0", "0000:11:02.0", 2},
                                           // Past the root on both sides: 4 nodes and 2 nodes.
                                           Distance{"two_root_ports", "0000:04:00.0", "0000:10:00.0", 6},
                                           Distance{"root_bus_and_root_port", "0000:00:1f.0", "0000:10:00.0", 3}),
                         [](const auto& test) { return test.param.what; });

TEST(Path, HasTheLowestCommonBridgeAndTheArmsBelowIt) {
  const auto machine = a_tree();
  const Between between(machine, "0000:03:00.0", "0000:07:00.0");
  EXPECT_EQ(between.path.common, machine.find(at("0000:01:00.0")));
  EXPECT_THAT(names(between.path.initiator_arm), ElementsAre("0000:03:00.0", "0000:02:00.0"));
  EXPECT_THAT(names(between.path.target_arm), ElementsAre("0000:07:00.0", "0000:06:00.0", "0000:05:00.0", "0000:02:02.0"));
}

TEST(Path, OfOneFunctionHasThatFunctionInCommonAndNoArms) {
  const auto machine = a_tree();
  const Between between(machine, "0000:03:00.0", "0000:03:00.0");
  EXPECT_EQ(between.path.common, machine.find(at("0000:03:00.0")));
  EXPECT_THAT(names(between.path.initiator_arm), IsEmpty());
  EXPECT_THAT(names(between.path.target_arm), IsEmpty());
}

TEST(Path, WithoutACommonBridgeHasWholeArms) {
  const auto machine = a_tree();
  const Between between(machine, "0000:04:00.0", "0000:10:00.0");
  EXPECT_EQ(between.path.common, nullptr);
  EXPECT_EQ(between.path.initiator_arm.size(), 4U);
  EXPECT_THAT(names(between.path.target_arm), ElementsAre("0000:10:00.0", "0000:00:03.0"));
}

TEST(Path, InTwoDomainsHasNothingInCommonThoughTheBusNumbersAreTheSame) {
  const Machine machine = a_machine().with(a_root_port("0000:00:02.0").with(an_endpoint("0000:01:00.0")),
                                           a_root_port("10000:00:02.0").with(an_endpoint("10000:01:00.0")));
  EXPECT_EQ(Between(machine, "0000:01:00.0", "10000:01:00.0").path.common, nullptr);
}

}  // namespace

}  // namespace p2pd::test
