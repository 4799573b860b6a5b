// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2p-client as a whole: what it prints and how it exits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/exit_code.h"
#include "cli/hold_environment.h"
#include "client_fixtures.h"
#include "platform/peers.h"
#include "test_paths.h"

namespace p2pclient::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const std::string dump = P2PD_TEST_DATA "/dumps/switches.lspci";

TEST(ClientExit, TellsYesNoAndUnknownApart) {
  EXPECT_EQ(cli::exit_code(Answer::yes), 0);
  EXPECT_EQ(cli::exit_code(Answer::no), 1);
  EXPECT_EQ(cli::exit_code(Answer::unknown), 2);
}

TEST(ClientExit, TellsWhyThereIsNoAnswer) {
  const auto code = [](const char* name) { return cli::exit_code(Error(name, "")); };
  EXPECT_EQ(code("org.p2pd1.Error.NotPermitted"), 3);
  EXPECT_EQ(code("org.freedesktop.DBus.Error.AccessDenied"), 3);
  EXPECT_EQ(code("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"), 3);
  EXPECT_EQ(code("org.p2pd1.Error.InvalidArgument"), 64);
  EXPECT_EQ(code("org.freedesktop.DBus.Error.ServiceUnknown"), 69);
  EXPECT_EQ(code("org.freedesktop.DBus.Error.NoReply"), 69);
  for (const auto* name :
       {"NotFound", "NotEnabled", "NotOffered", "Blocked", "Busy", "Gone", "QuotaExceeded", "NotSupported", "Failed"})
    EXPECT_EQ(code((std::string("org.p2pd1.Error.") + name).c_str()), 1) << name;
}

TEST(ClientDump, ListsEveryFunctionWithoutADaemon) {
  const auto ran = p2p_client({"--dump", dump, "--platform", P2PD_PLATFORM_FILES, "--bus", no_bus, "list", "--json"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.err, IsEmpty());
  const auto functions = json::parse(ran.out).at("functions");
  const auto nvme =
      std::find_if(functions.begin(), functions.end(), [](const json& one) { return one.at("address") == "0000:0d:00.0"; });
  ASSERT_NE(nvme, functions.end());
  EXPECT_EQ(nvme->at("parent"), "0000:00:15.0");
  EXPECT_EQ(nvme->at("class"), "0x010802");
  EXPECT_EQ(nvme->at("bars").size(), 2U);
}

TEST(ClientDump, ShowsOneFunctionAsListDoes) {
  const auto all = json::parse(p2p_client({"--dump", dump, "--json", "list"}).out).at("functions");
  const auto one = json::parse(p2p_client({"--dump", dump, "--json", "show", "0000:0d:00.0"}).out).at("functions");
  ASSERT_EQ(one.size(), 1U);
  EXPECT_NE(std::find(all.begin(), all.end(), one[0]), all.end());
}

TEST(ClientDump, HasEveryFunctionInTheTreeOnce) {
  const auto listed = json::parse(p2p_client({"--dump", dump, "--json", "list"}).out).at("functions").size();
  std::size_t nested = 0;
  const std::function<void(const json&)> count = [&](const json& nodes) {
    for (const auto& node : nodes) {
      ++nested;
      count(node.at("children"));
    }
  };
  count(json::parse(p2p_client({"--dump", dump, "--json", "tree"}).out).at("roots"));
  EXPECT_GT(listed, 10U);
  EXPECT_EQ(nested, listed);
}

TEST(ClientDump, ChecksAPairAndExitsWithTheAnswer) {
  const auto ran = p2p_client({"check", "0000:06:00.0", "0000:05:00.0:2", "--dump", dump, "--json"});
  const auto verdict = json::parse(ran.out);
  EXPECT_EQ(verdict.at("initiator"), "0000:06:00.0");
  EXPECT_EQ(verdict.at("target"), "0000:05:00.0:2");
  EXPECT_EQ(verdict.at("bar"), 2);
  EXPECT_FALSE(verdict.at("blockers").empty());
  const std::map<std::string, int> statuses{{"yes", 0}, {"no", 1}, {"unknown", 2}};
  EXPECT_EQ(ran.status, statuses.at(verdict.at("answer")));
}

TEST(ClientDump, AgreesInMatrixAndCheck) {
  const auto matrix = json::parse(p2p_client({"--dump", dump, "--json", "matrix", "--initiator", "0000:06:00.0", "--initiator",
                                              "0000:0d:00.0", "--target", "0000:05:00.0:2", "--target", "0000:05:00.0:0"})
                                      .out);
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t column = 0; column < 2; ++column) {
      const auto& kind = matrix.at("legend").at(matrix.at("cells").at(row).at(column).get<std::size_t>());
      const auto verdict = json::parse(
          p2p_client({"--dump", dump, "--json", "check", matrix.at("initiators").at(row), matrix.at("targets").at(column)}).out);
      EXPECT_EQ(kind.at("possible"), verdict.at("possible"));
      EXPECT_EQ(kind.at("route"), verdict.at("route"));
    }
}

TEST(ClientDump, MarksAFunctionsOwnBars) {
  const auto matrix = json::parse(
      p2p_client({"--dump", dump, "--json", "matrix", "--initiator", "0000:0d:00.0", "--target", "0000:0d:00.0:0"}).out);
  EXPECT_EQ(matrix.at("legend").at(0).at("route"), "same");
}

TEST(ClientDump, SaysWhatIsNotInTheDump) {
  const auto ran = p2p_client({"--dump", dump, "check", "0000:06:00.0", "0000:05:00.0:1"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.err, "p2p-client: error: 0000:05:00.0 has no BAR 1\n");
}

TEST(ClientDump, ExportsATableForTheGuestThatVouchesForNothingUnknown) {
  const auto ran = p2p_client({"--dump", dump, "--platform", P2PD_PLATFORM_FILES, "export", "--format", "peers",
                               "0000:06:00.0=0000:00:04.0", "0000:05:00.0"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  const auto table = p2pd::parse_peers(ran.out, "stdout");
  ASSERT_TRUE(table) << table.error().text;
  ASSERT_EQ(table->peers.size(), 2U);
  EXPECT_EQ(table->peers[0].address.to_string(), "0000:00:04.0");
  EXPECT_EQ(table->peers[1].address.to_string(), "0000:05:00.0");
  for (const auto& reach : table->reach) EXPECT_EQ(reach, p2pd::Reach{}) << "a dump does not tell whether its machine is virtual";
}

// What is exported of 0000:03:00.0 -> 0000:06:00.0 and back.
std::vector<p2pd::Reach> exported(const std::string& name) {
  const auto ran = p2p_client({"--dump", P2PD_TEST_DATA "/generated/" + name, "--platform", P2PD_PLATFORM_FILES, "--cpu",
                               "amd/0x17", "--kernel", "7.3", "--virt", "none", "--iommu", "on", "export", "--format", "peers",
                               "0000:03:00.0", "0000:06:00.0"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  const auto table = p2pd::parse_peers(ran.out, "stdout");
  EXPECT_TRUE(table) << table.error().text;
  return {table->reach.at(1), table->reach.at(2)};
}

TEST(ClientDump, ExportsAYesOnlyForWhatReachesNothingPastTheIommu) {
  using p2pd::Reach;
  constexpr Reach yes{.writes = p2pd::Tristate::yes, .reads = p2pd::Tristate::yes};
  EXPECT_THAT(exported("redirect-everywhere.lspci"), testing::ElementsAre(yes, yes));
  // Only the requests of the first are redirected, so back they may turn at an address that a guest made up.
  EXPECT_THAT(exported("redirect-at-the-divergence.lspci"), testing::ElementsAre(yes, Reach{}));
  // The route is root-complex for the completions alone: requests turn in the switch.
  EXPECT_THAT(exported("completions-redirected.lspci"), testing::ElementsAre(Reach{}, Reach{}));
}

TEST(ClientDump, JudgesByThePlatformFilesThatAreGiven) {
  EXPECT_THAT(p2p_client({"--dump", dump, "--platform", P2PD_TEST_DATA, "matrix"}).err, HasSubstr("no platform files"));
  EXPECT_THAT(p2p_client({"--dump", dump, "--platform", P2PD_PLATFORM_FILES, "matrix"}).err,
              testing::Not(HasSubstr("platform files")));
}

struct WrongUsage {
  std::vector<std::string> arguments;
  std::string text;
  int status = cli::exit_usage;
};
class ClientUsage : public testing::TestWithParam<WrongUsage> {};

TEST_P(ClientUsage, IsRefusedBeforeAnythingIsAsked) {
  const auto ran = p2p_client(GetParam().arguments);
  EXPECT_EQ(ran.status, GetParam().status);
  EXPECT_THAT(ran.out, IsEmpty());
  EXPECT_THAT(ran.err, StartsWith("p2p-client: error: "));
  EXPECT_THAT(ran.err, HasSubstr(GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    All, ClientUsage,
    testing::Values(
        WrongUsage{{}, "subcommand is required"}, WrongUsage{{"frobnicate"}, "there is no command `frobnicate`"},
        WrongUsage{{"list", "--frob"}, "--frob"}, WrongUsage{{"check", "0000:06:00.0"}, "TARGET"},
        WrongUsage{{"list", "--dump", "/nonexistent"}, "/nonexistent"}, WrongUsage{{"list", "--color", "green"}, "green"},
        WrongUsage{{"check", "a", "b", "--address-bits", "65"}, "65"},
        WrongUsage{{"enable", "--access", "x", "0000:05:00.0:2"}, "x"},
        WrongUsage{{"--dump", dump, "enable", "0000:05:00.0:2"}, "cannot work on a dump"},
        WrongUsage{{"--platform", P2PD_PLATFORM_FILES, "list"}, "--platform is for --dump"},
        WrongUsage{{"--dump", dump, "--platform", "/nonexistent", "list"}, "/nonexistent"},
        WrongUsage{{"export", "--format", "xml", "0000:06:00.0", "0000:05:00.0"}, "xml"},
        WrongUsage{{"export", "--format", "peers", "0000:06:00.0"}, "FUNCTION"},
        WrongUsage{{"--dump", dump, "export", "--format", "peers", "0000:06:00.0", "0000:05:00.0=5"}, "`5` is no address"},
        WrongUsage{{"--dump", dump, "export", "--format", "peers", "0000:06:00.0", "0000:06:00.0"}, "two functions at"},
        WrongUsage{{"list", "--", "true"}, "takes no program"}, WrongUsage{{"--dump", dump, "show", "5:0.0"}, "is no address"},
        WrongUsage{{"--dump", dump, "check", "0000:06:00.0", "0000:05:00.0:6"}, "is no target"},
        WrongUsage{{"hold", "0000:06:00.0"}, "TARGET", 125},
        WrongUsage{{"hold", "0000:06:00.0", "0000:05:00.0:2"}, "no program given", 125}));

TEST(ClientWithoutDaemon, SaysSoAndWhatToDoNext) {
  const auto ran = p2p_client({"--bus", no_bus, "list"});
  EXPECT_EQ(ran.status, 69);
  EXPECT_THAT(ran.err, StartsWith("p2p-client: error: no message bus at `" + no_bus + "`"));
  EXPECT_THAT(ran.err, HasSubstr("systemctl start p2pd"));
  EXPECT_THAT(ran.err, HasSubstr("--dump FILE"));
}

TEST(ClientWithoutDaemon, StillTellsItsOwnVersion) {
  const auto ran = p2p_client({"--bus", no_bus, "--no-ask-password", "--json", "version"});
  EXPECT_EQ(ran.status, 69);
  EXPECT_TRUE(json::parse(ran.out).at("client").is_string());
  EXPECT_TRUE(json::parse(ran.out).at("daemon").is_null());
}

TEST(ClientWithoutDaemon, FailsToHoldAsEnvDoes) {
  EXPECT_EQ(p2p_client({"--bus", no_bus, "--no-ask-password", "hold", "0000:06:00.0", "0000:05:00.0:2", "--", "true"}).status,
            125);
}

TEST(ClientHold, TellsTheProgramWhatItHolds) {
  const auto environment = cli::environment_of({Iova{0xfe00000}, 1 << 20, "/org/p2pd1/mapping/7", 5, 6});
  const std::vector<std::pair<std::string, std::string>> expected{{"P2P_COOKIE", "0xfe00000"},
                                                                  {"P2P_LENGTH", "1048576"},
                                                                  {"P2P_MAPPING", "/org/p2pd1/mapping/7"},
                                                                  {"P2P_LEASE_FD", "5"},
                                                                  {"P2P_DEVICE_FD", "6"}};
  EXPECT_EQ(environment, expected);
}

}  // namespace
}  // namespace p2pclient::test
