// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "builders.h"
#include "model/machine.h"

namespace p2pd::test {

namespace {

Function a_function(std::string_view address, std::string name) {
  Function function;
  function.address = at(address);
  function.driver = std::move(name);
  return function;
}

TEST(Machine, SortsFunctionsByAddressAndFindsThem) {
  const Machine machine({}, {a_function("0000:03:00.0", "c"), a_function("0000:00:02.0", "a"), a_function("0000:00:1f.3", "b")});
  ASSERT_EQ(machine.functions().size(), 3U);
  EXPECT_EQ(machine.functions()[0].driver, "a");
  EXPECT_EQ(machine.functions()[2].driver, "c");
  EXPECT_EQ(machine.find(at("0000:00:1f.3"))->driver, "b");
  EXPECT_EQ(machine.find(at("0000:00:1f.4")), nullptr);
  EXPECT_EQ(machine.find(at("0001:00:1f.3")), nullptr);
}

TEST(Machine, KeepsTheLaterOfTwoReadings) {
  const Machine machine({}, {a_function("0000:03:00.0", "before"), a_function("0000:03:00.0", "after")});
  ASSERT_EQ(machine.functions().size(), 1U);
  EXPECT_EQ(machine.functions()[0].driver, "after");
}

TEST(Machine, KnowsWhoStandsAbove) {
  const Machine machine = a_machine().with(a_root_port("0000:00:02.0").with(an_endpoint("0000:03:00.0")));
  EXPECT_EQ(machine.bridge_above(*machine.find(at("0000:03:00.0")))->address, at("0000:00:02.0"));
  EXPECT_EQ(machine.bridge_above(*machine.find(at("0000:00:02.0"))), nullptr);
}

TEST(Machine, KnowsWhoIsFirstOnABus) {
  const Machine machine({}, {a_function("0001:80:03.0", "b"), a_function("0001:80:02.1", "a"), a_function("0001:81:00.0", "c")});
  EXPECT_EQ(machine.first_on_bus(1, 0x80)->driver, "a");
  EXPECT_EQ(machine.first_on_bus(1, 0x7f), nullptr);
  EXPECT_EQ(machine.first_on_bus(0, 0x80), nullptr);
}

TEST(Machine, KnowsWhoIsInAnIommuGroup) {
  const auto grouped = [](std::string_view address, std::uint32_t group) {
    auto function = a_function(address, "");
    function.iommu_group = group;
    return function;
  };
  const Machine machine(
      {}, {grouped("0000:03:00.0", 7), grouped("0000:01:00.0", 7), grouped("0000:02:00.0", 6), a_function("0000:04:00.0", "")});
  const auto members = machine.functions_of_group(7);
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0]->address, at("0000:01:00.0"));
  EXPECT_EQ(members[1]->address, at("0000:03:00.0"));
  EXPECT_TRUE(machine.functions_of_group(8).empty());
}

TEST(Function, HasTheBarsThatItHas) {
  const Machine machine = a_machine().with(an_endpoint("0000:00:04.0").with(bar(0, 4_KiB), big_bar(2, 1_MiB)));
  const auto* function = machine.find(at("0000:00:04.0"));
  EXPECT_EQ(function->find_bar(2)->size, Bytes{1_MiB});
  EXPECT_EQ(function->find_bar(1), nullptr);
  EXPECT_EQ(function->find_bar(6), nullptr);
}

TEST(AcsRedirect, IsAnyOfRequestCompletionAndEgress) {
  const auto redirects = [](std::uint16_t control) { return Acs{Acs::State::present, 0x7f, control}.redirects(); };
  EXPECT_TRUE(redirects(Acs::request_redirect));
  EXPECT_TRUE(redirects(Acs::completion_redirect));
  EXPECT_TRUE(redirects(Acs::egress_control));
  EXPECT_FALSE(redirects(0x53));
  EXPECT_FALSE((Acs{Acs::State::unknown, 0x7f, 0x1d}.redirects()));
  EXPECT_FALSE((Acs{Acs::State::absent, 0x7f, 0x1d}.redirects()));
}

// The builder's own promise to the tests that use it.
TEST(BuiltMachine, HasWindowsAroundWhatIsBelow) {
  const Machine machine = a_machine().with(
      a_root_port("0000:00:02.0")
          .with(a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0").with(an_endpoint("0000:03:00.0").with(bar(0, 4_KiB), big_bar(2, 1_GiB))),
                          a_port("0000:02:01.0").with(an_endpoint("0000:04:00.0").with(bar(0, 2_MiB))))));
  const auto* root_port = machine.find(at("0000:00:02.0"));
  const auto* port = machine.find(at("0000:02:00.0"));
  const auto* other_port = machine.find(at("0000:02:01.0"));
  const auto* function = machine.find(at("0000:03:00.0"));
  const auto low = make_range(*function->find_bar(0)->bus_address, function->find_bar(0)->size).value();
  const auto high = make_range(*function->find_bar(2)->bus_address, function->find_bar(2)->size).value();
  EXPECT_TRUE(port->bridge->memory->contains(low));
  EXPECT_TRUE(port->bridge->prefetchable->contains(high));
  EXPECT_TRUE(root_port->bridge->memory->contains(*port->bridge->memory));
  EXPECT_FALSE(other_port->bridge->memory->overlaps(*port->bridge->memory));
  EXPECT_EQ(root_port->bridge->secondary_bus, 1);
  EXPECT_EQ(root_port->bridge->subordinate_bus, 4);
}

}  // namespace

}  // namespace p2pd::test
