// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `explain`: the path as it is, and a sentence that is as careful as the verdict.
#include "cli/explanation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/exit_code.h"
#include "client_fixtures.h"
#include "test_paths.h"

namespace p2pclient::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string dump = P2PD_TEST_DATA "/dumps/switches.lspci";

Ran explain(const std::string& initiator, const std::string& target, bool as_json) {
  std::vector<std::string> arguments{"--platform", platform, "--dump", dump,       "explain", initiator, target, "--cpu",
                                     "amd/0x17",   "--virt", "none",   "--kernel", "7.3",     "--iommu", "on"};
  if (as_json) arguments.emplace_back("--json");
  return p2p_client(arguments);
}

std::vector<std::string> hops(const json& document) {
  std::vector<std::string> hops;
  for (const auto& hop : document.at("path"))
    hops.push_back(hop.at("way").get<std::string>() + " " + hop.at("address").get<std::string>());
  return hops;
}

TEST(ClientExplain, ShowsThePathInTheOrderOfTheRequest) {
  const auto turning = json::parse(explain("0000:06:00.0", "0000:05:00.0:2", true).out);
  EXPECT_EQ(turning.at("route"), "switch");
  EXPECT_THAT(hops(turning),
              ElementsAre("up 0000:06:00.0", "up 0000:04:1d.0", "turn 0000:03:00.0", "down 0000:04:0b.0", "down 0000:05:00.0"));

  const auto over_the_root = json::parse(explain("0000:06:00.0", "0000:0d:00.0:0", true).out);
  EXPECT_THAT(hops(over_the_root), ElementsAre("up 0000:06:00.0", "up 0000:04:1d.0", "up 0000:03:00.0", "up 0000:00:05.0",
                                               "down 0000:00:15.0", "down 0000:0d:00.0"));
}

TEST(ClientExplain, PassesWhatBothShareTwiceWhereAcsRedirects) {
  const auto redirected = json::parse(explain("0000:0b:00.0", "0000:09:00.0:2", true).out);
  EXPECT_EQ(redirected.at("path")[1].at("acs").at("control"), "0x1d");
  const auto way = hops(redirected);
  ASSERT_EQ(redirected.at("route"), "root-complex");
  EXPECT_EQ(std::count(way.begin(), way.end(), "up 0000:07:00.0"), 1);
  EXPECT_EQ(std::count(way.begin(), way.end(), "down 0000:07:00.0"), 1);
  EXPECT_EQ(way.front(), "up 0000:0b:00.0");
  EXPECT_EQ(way.back(), "down 0000:09:00.0");
}

TEST(ClientExplain, TellsThePacketSizeOfEachHop) {
  const auto document = json::parse(explain("0000:06:00.0", "0000:05:00.0:2", true).out);
  for (const auto& hop : document.at("path")) {
    const bool is_express = hop.at("port_type") != "conventional";
    EXPECT_EQ(hop.at("max_payload"), is_express ? json(128) : json()) << hop.at("address");
  }
  EXPECT_THAT(explain("0000:06:00.0", "0000:05:00.0:2", false).out, testing::ContainsRegex("LINK +MPS +ACS"));
}

TEST(ClientExplain, NamesTheAcsBitsOfEachPortAndWhereItTurns) {
  const auto text = explain("0000:06:00.0", "0000:0d:00.0:0", false).out;
  EXPECT_THAT(text, testing::ContainsRegex("up +0000:00:05.0 root-port +[^\n]*SV\\+ TB- RR\\+ CR\\+ UF\\+ DT-"));
  EXPECT_THAT(text, testing::ContainsRegex("turn root complex"));
  EXPECT_THAT(text, HasSubstr("RR P2P Request Redirect"));
}

TEST(ClientExplain, SaysAllThatCheckSays) {
  auto explained = json::parse(explain("0000:06:00.0", "0000:0d:00.0:0", true).out);
  const auto checked =
      json::parse(p2p_client({"--platform", platform, "--dump", dump, "--json", "check", "0000:06:00.0", "0000:0d:00.0:0",
                              "--cpu", "amd/0x17", "--virt", "none", "--kernel", "7.3", "--iommu", "on"})
                      .out);
  for (const auto& [name, value] : checked.items()) EXPECT_EQ(explained.at(name), value) << name;
}

TEST(ClientExplain, TellsTheReachSetOfTheInitiator) {
  // Below a switch without ACS; and below one that redirects everything.
  EXPECT_EQ(json::parse(explain("0000:06:00.0", "0000:05:00.0:2", true).out).at("reach_set").at("targets"),
            json::parse(R"(["0000:05:00.0:0", "0000:05:00.0:2"])"));
  const auto held = json::parse(explain("0000:0b:00.0", "0000:09:00.0:2", true).out).at("reach_set");
  EXPECT_TRUE(held.at("targets").empty());
  EXPECT_TRUE(held.at("complete"));
  EXPECT_THAT(explain("0000:06:00.0", "0000:05:00.0:2", false).out, HasSubstr("\n  0000:05:00.0:2\n"));
}

TEST(ClientExplain, NamesTheFunctionThatIsNotThere) {
  const auto ran = explain("0000:66:00.0", "0000:05:00.0:2", false);
  EXPECT_EQ(ran.status, cli::exit_no);
  EXPECT_THAT(ran.err, HasSubstr("no function 0000:66:00.0"));
}

Verdict a_verdict(Answer answer, Answer possible) {
  Verdict verdict;
  verdict.initiator = "A";
  verdict.target = "B:2";
  verdict.answer = answer;
  verdict.possible = possible;
  verdict.route = "switch";
  verdict.blockers = {a_blocker("sure-block", "block"), a_blocker("doubtful-block", "block"), a_blocker("sure-setup", "setup"),
                      a_blocker("doubtful-setup", "setup"), a_blocker("a-limit", "limit")};
  verdict.blockers[1].is_certain = false;
  verdict.blockers[3].is_certain = false;
  return verdict;
}

TEST(ClientSentence, IsAsCarefulAsTheVerdict) {
  EXPECT_EQ(cli::sentence(a_verdict(Answer::yes, Answer::yes)), "A -> B:2: yes, below the root complex, past the IOMMU.");
  EXPECT_EQ(cli::sentence(a_verdict(Answer::no, Answer::no)),
            "A -> B:2: no, and nothing that can be switched now changes it (sure-block).");
  EXPECT_EQ(cli::sentence(a_verdict(Answer::unknown, Answer::unknown)), "A -> B:2: not known, which is no yes (doubtful-block).");
  EXPECT_EQ(cli::sentence(a_verdict(Answer::no, Answer::unknown)), "A -> B:2: not known, which is no yes (doubtful-block).");
  auto setup = a_verdict(Answer::no, Answer::yes);
  setup.blockers.erase(setup.blockers.begin(), setup.blockers.begin() + 2);
  EXPECT_EQ(cli::sentence(setup), "A -> B:2: not yet, but possible below the root complex, past the IOMMU (sure-setup).");
  setup.answer = Answer::unknown;
  EXPECT_EQ(cli::sentence(setup), "A -> B:2: not known, but possible below the root complex, past the IOMMU (doubtful-setup).");
}

}  // namespace
}  // namespace p2pclient::test
