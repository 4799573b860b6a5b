// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The authority table against the contract: every method of the XML has a row, and no row is for a method that is not there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "bus/authority_table.h"
#include "test_paths.h"

namespace p2pd {
namespace {

using testing::ElementsAre;

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::set<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::set<std::string> result;
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match) result.insert((*match)[1]);
  return result;
}

std::set<std::string> methods_in_contract() {
  std::set<std::string> methods;
  for (const std::string interface : {"org.p2pd1.Manager", "org.p2pd1.Device", "org.p2pd1.Holding", "org.p2pd1.Mapping"})
    for (const auto& method : matches(read(P2PD_TEST_DATA "/../../dbus/" + interface + ".xml"), "<method name=\"([A-Za-z]+)\""))
      methods.insert(interface + "." + method);
  return methods;
}

std::set<std::string> methods_in_table() {
  std::set<std::string> methods;
  for (const auto& row : authority_table()) methods.insert(std::string{row.interface} + "." + std::string{row.method});
  return methods;
}

std::set<std::string> methods_with(Right right) {
  std::set<std::string> methods;
  for (const auto& row : authority_table())
    if (row.right == right) methods.insert(std::string{row.interface} + "." + std::string{row.method});
  return methods;
}

TEST(AuthorityTable, HasARowForEveryMethodOfTheContractAndForNothingElse) {
  ASSERT_EQ(methods_in_contract().size(), 22U);
  EXPECT_EQ(methods_in_table(), methods_in_contract());
}

TEST(AuthorityTable, HasOneRowForEachMethod) { EXPECT_EQ(methods_in_table().size(), authority_table().size()); }

TEST(AuthorityTable, RefusesAMethodWithoutARow) {
  ASSERT_NE(find_row("org.p2pd1.Manager", "Map"), nullptr);
  EXPECT_EQ(find_row("org.p2pd1.Manager", "MapAll"), nullptr);
  EXPECT_EQ(find_row("org.p2pd1.Device", "Map"), nullptr);
  EXPECT_EQ(find_row("", "Map"), nullptr);
}

TEST(AuthorityTable, LetsEverybodyOnlyRead) {
  EXPECT_THAT(methods_with(Right::everybody),
              ElementsAre("org.p2pd1.Manager.Check", "org.p2pd1.Manager.CheckAll", "org.p2pd1.Manager.GetDeviceByAddress",
                          "org.p2pd1.Manager.GetReachSet", "org.p2pd1.Manager.GetStatistics"));
}

TEST(AuthorityTable, LeavesOnlyReleaseToTheOwner) {
  EXPECT_THAT(methods_with(Right::owner), ElementsAre("org.p2pd1.Holding.Release", "org.p2pd1.Mapping.Release"));
}

TEST(AuthorityTable, NamesAnActionWherePolkitDecidesAndNowhereElse) {
  for (const auto& row : authority_table()) EXPECT_EQ(row.right == Right::polkit, row.action.has_value()) << row.method;
}

TEST(AuthorityTable, NamesOnlyActionsThatThePolicyHas) {
  const auto actions = matches(read(P2PD_TEST_DATA "/../../dbus/org.p2pd1.policy"), "<action id=\"([a-z0-9.-]+)\"");
  ASSERT_EQ(actions.size(), 10U);
  std::set<std::string> named;
  for (const auto action :
       {Action::enable_target, Action::offer_initiator, Action::bind_driver, Action::revoke, Action::switch_route,
        Action::own_address_space, Action::export_dma_buf, Action::allocate_peer_memory, Action::acquire, Action::map})
    named.insert(name_of(action));
  EXPECT_EQ(named, actions);
}

// Opening a device to whoever asks must be a decision of the shipped rule (group p2p), not of the defaults.
TEST(Policy, GivesNothingToAnybodyByDefault) {
  const auto defaults = matches(read(P2PD_TEST_DATA "/../../dbus/org.p2pd1.policy"), "<allow_(?:any|inactive|active)>([a-z_]+)<");
  EXPECT_THAT(defaults, ElementsAre("auth_admin", "no"));
}

}  // namespace
}  // namespace p2pd
