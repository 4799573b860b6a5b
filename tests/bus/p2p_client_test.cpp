// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2p-client and libp2pclient with p2pd: what people and programs have instead of messages.
#include <gmock/gmock.h>
#include <p2pclient/p2pclient.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "built_programs.h"
#include "harness/scene.h"

namespace p2pd::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

class ClientScene : public Scene {
 protected:
  ClientScene() { ::chmod(directory.path().c_str(), 0755); }

  // The bus is the harness'; `words` is the rest of the command line.
  ChildProcess start(uid_t uid, std::vector<std::string> words) {
    std::filesystem::remove(output());
    words.insert(words.begin(), {"/usr/bin/setpriv", "--reuid", std::to_string(uid), "--clear-groups", P2P_CLIENT, "--bus",
                                 bus.address(), "--no-ask-password"});
    return ChildProcess({.arguments = words, .environment = {{"PATH", "/usr/bin:/bin"}}, .log = output()});
  }
  int run(uid_t uid, std::vector<std::string> words) { return start(uid, std::move(words)).wait(); }
  // What the last one printed, on both streams.
  [[nodiscard]] std::string printed() const { return read_file(output()); }
  [[nodiscard]] json printed_json() const { return json::parse(printed()); }

  p2pclient::Client connect() { return p2pclient::Client::connect({.bus = bus.address()}); }

  void expect_nothing_is_held() {
    eventually("all grants are gone", [&] { return root.grants().empty(); });
  }

 private:
  [[nodiscard]] std::filesystem::path output() const { return directory.path() / "p2p-client.out"; }
};

class ClientProgram : public ClientScene {};
class ClientLibrary : public ClientScene {};

TEST_F(ClientProgram, ListsFunctionsAsTheyAreInTheMachine) {
  ASSERT_EQ(run(alice_uid, {"list", "--json"}), 0) << printed();
  const auto functions = printed_json().at("functions");
  const auto found = std::find_if(functions.begin(), functions.end(), [](const json& one) { return one.at("address") == peer; });
  ASSERT_NE(found, functions.end());
  EXPECT_EQ(found->at("parent"), "0000:02:01.0");
  EXPECT_EQ(found->at("driver"), "vfio-pci");
  const auto bars = found->at("bars");
  const auto bar = std::find_if(bars.begin(), bars.end(), [](const json& one) { return one.at("index") == 2; });
  ASSERT_NE(bar, bars.end());
  EXPECT_EQ(bar->at("size"), target_length);
  EXPECT_EQ(bar->at("is_memory"), true);
  EXPECT_THAT(bar->at("bus_address"), testing::StartsWith("0x"));
  EXPECT_EQ(bar->at("bus_address"), bar->at("cpu_address"));
}

TEST_F(ClientProgram, TellsWhatIsMissingUntilOperatorsHaveDoneIt) {
  const auto findings_of = [&](const std::string& subject) {
    std::vector<std::string> found;
    const auto document = printed_json();
    for (const auto& finding : document.at("findings"))
      if (finding.at("subject") == subject) found.push_back(finding.at("found"));
    return found;
  };
  ASSERT_EQ(run(alice_uid, {"doctor", "--json"}), 0) << printed();
  EXPECT_THAT(findings_of("initiators"), testing::ElementsAre(HasSubstr("none is offered")));
  EXPECT_THAT(findings_of("targets"), testing::ElementsAre(HasSubstr("none is enabled")));
  EXPECT_THAT(findings_of("pairs"), testing::IsEmpty());
  ASSERT_EQ(run(0, {"enable", target_bar}), 0) << printed();
  ASSERT_EQ(run(0, {"offer", initiator}), 0) << printed();
  ASSERT_EQ(run(alice_uid, {"doctor", "--json"}), 0) << printed();
  EXPECT_THAT(findings_of("initiators"), testing::ElementsAre(initiator));
  EXPECT_THAT(findings_of("targets"), testing::ElementsAre(testing::StartsWith(target_bar)));
  EXPECT_THAT(findings_of("pairs"), testing::ElementsAre("1 of 1 reach their target"));
}

TEST_F(ClientProgram, SaysNoWithTheRemediesUntilTheyAreTyped) {
  ASSERT_EQ(run(alice_uid, {"check", "--json", initiator, target_bar}), 1) << printed();
  const auto blockers = printed_json().at("blockers");
  ASSERT_FALSE(blockers.empty());
  for (const auto& blocker : blockers) {
    if (blocker.at("severity") == "limit") continue;  // does not stand against it
    const auto remedy = blocker.at("remedy").get<std::string>();
    ASSERT_THAT(remedy, testing::StartsWith("p2p-client "));
    std::istringstream stream(remedy.substr(std::string("p2p-client ").size()));
    const std::vector<std::string> words{std::istream_iterator<std::string>(stream), {}};
    EXPECT_EQ(run(0, words), 0) << remedy << ": " << printed();
  }
  EXPECT_EQ(run(alice_uid, {"check", initiator, target_bar}), 0) << printed();
}

TEST_F(ClientProgram, ShowsTheSameInMatrixAndCheck) {
  ASSERT_EQ(run(alice_uid, {"matrix", "--json", "--initiator", initiator, "--target", target_bar}), 0) << printed();
  const auto kind = printed_json().at("legend").at(0);
  (void)run(alice_uid, {"check", "--json", initiator, target_bar});
  EXPECT_EQ(kind.at("possible"), printed_json().at("possible"));
  EXPECT_EQ(kind.at("route"), printed_json().at("route"));
}

TEST_F(ClientProgram, ExplainsThePathAndWhatElseIsReached) {
  (void)run(alice_uid, {"explain", "--json", switched_initiator, switched_target_bar});
  const auto open = printed_json();
  std::vector<std::string> hops;
  for (const auto& hop : open.at("path"))
    hops.push_back(hop.at("way").get<std::string>() + " " + hop.at("address").get<std::string>());
  EXPECT_THAT(hops, testing::ElementsAre("up 0000:0a:00.0", "up 0000:09:00.0", "turn 0000:08:00.0", "down 0000:09:01.0",
                                         "down 0000:0b:00.0"));
  EXPECT_THAT(open.at("reach_set").at("targets"), testing::Contains(switched_target_bar));

  // Where the switch redirects, nothing is reached past the IOMMU.
  (void)run(alice_uid, {"explain", "--json", initiator, target_bar});
  EXPECT_THAT(printed_json().at("reach_set").at("targets"), testing::IsEmpty());
  EXPECT_EQ(printed_json().at("path").at(1).at("acs").at("state"), "present");
}

TEST_F(ClientProgram, ExportsToAGuestOnlyWhatTheRootComplexForwards) {
  ASSERT_EQ(run(alice_uid, {"export", "--format", "peers", std::string(initiator) + "=0000:01:00.0", peer}), 0) << printed();
  const auto table = printed();
  EXPECT_THAT(table, HasSubstr("from = \"0000:01:00.0\"\nto = \"0000:04:00.0\"\nwrites = \"yes\"\nreads = \"yes\"\n"));

  ASSERT_EQ(run(alice_uid, {"export", "--format", "peers", switched_initiator, "0000:0b:00.0"}), 0) << printed();
  EXPECT_THAT(printed(), HasSubstr("writes = \"unknown\"\nreads = \"unknown\"\n")) << "a switch knows no address of a guest";
  EXPECT_THAT(printed(), testing::Not(HasSubstr("\"yes\"")));
}

TEST_F(ClientProgram, NamesTheActionThatWouldPermitIt) {
  EXPECT_EQ(run(alice_uid, {"enable", target_bar}), 3);
  EXPECT_THAT(printed(), testing::StartsWith("p2p-client: error: "));
  EXPECT_THAT(printed(), HasSubstr("org.p2pd1.enable-target"));
  EXPECT_EQ(run(0, {"enable", target_bar}), 0) << printed();
}

TEST_F(ClientProgram, ShowsWhatAnOperatorHasDone) {
  ASSERT_EQ(run(0, {"enable", target_bar, "--shared", "--access", "w"}), 0) << printed();
  ASSERT_EQ(run(0, {"offer", initiator, "--group", "root"}), 0) << printed();
  ASSERT_EQ(run(alice_uid, {"show", "--json", peer, initiator}), 0) << printed();
  const auto functions = printed_json().at("functions");
  const auto target = functions.at(0).at("targets").at(0);
  EXPECT_EQ(target.at("exclusive"), false);
  EXPECT_EQ(target.at("access"), "w");
  EXPECT_EQ(functions.at(1).at("offered"), true);
  EXPECT_EQ(functions.at(1).at("offer_group"), "root");

  ASSERT_EQ(run(0, {"disable", target_bar}), 0) << printed();
  ASSERT_EQ(run(0, {"withdraw", initiator}), 0) << printed();
  ASSERT_EQ(run(alice_uid, {"show", "--json", peer, initiator}), 0) << printed();
  EXPECT_TRUE(printed_json().at("functions").at(0).at("targets").empty());
  EXPECT_EQ(printed_json().at("functions").at(1).at("offered"), false);
}

TEST_F(ClientProgram, HoldsForAProgramAndHasItsExitStatus) {
  set_up_the_usual_pair();
  EXPECT_EQ(run(alice_uid, {"hold", initiator, target_bar, "--", "sh", "-c",
                            "echo $P2P_COOKIE $P2P_LENGTH $P2P_MAPPING; "
                            "readlink /proc/self/fd/$P2P_LEASE_FD /proc/self/fd/$P2P_DEVICE_FD; exit 42"}),
            42);
  EXPECT_THAT(printed(), testing::ContainsRegex("^0x[0-9a-f]+ 1048576 /org/p2pd1/mapping/[0-9]+\nsocket:.*\n.+\n"));
  expect_nothing_is_held();
}

TEST_F(ClientProgram, HoldsUntilTheProgramIsKilled) {
  set_up_the_usual_pair();
  auto program = start(alice_uid, {"hold", initiator, target_bar, "--", "sleep", "1000"});
  eventually("the program holds", [&] { return daemon->address_spaces()[initiator].size() == 1; });
  ASSERT_EQ(run(0, {"mappings", "--json"}), 0) << printed();
  const auto grants = printed_json();
  EXPECT_EQ(grants.at("holdings").at(0).at("initiator"), initiator);
  EXPECT_EQ(grants.at("holdings").at(0).at("owner_uid"), alice_uid);
  EXPECT_EQ(grants.at("mappings").at(0).at("target").get<std::string>().substr(0, 14), target_bar);

  EXPECT_EQ(program.kill(), -9);
  expect_nothing_is_held();
  EXPECT_FALSE(daemon->address_spaces().contains(initiator));
}

TEST_F(ClientProgram, ReleasesWhatMappingsShows) {
  set_up_the_usual_pair();
  const auto program = start(alice_uid, {"hold", initiator, target_bar, "--", "sleep", "1000"});
  eventually("the program holds", [&] { return daemon->address_spaces()[initiator].size() == 1; });
  ASSERT_EQ(run(alice_uid, {"mappings", "--json"}), 0) << printed();
  const auto path = printed_json().at("holdings").at(0).at("path").get<std::string>();
  const auto name = path.substr(std::string("/org/p2pd1/").size());

  EXPECT_EQ(run(bob_uid, {"release", name}), 3) << printed();
  EXPECT_TRUE(daemon->address_spaces().contains(initiator));
  EXPECT_EQ(run(alice_uid, {"release", name}), 0) << printed();
  EXPECT_FALSE(daemon->address_spaces().contains(initiator)) << "it waits until all is unmapped";
}

TEST_F(ClientProgram, FailsToHoldAsEnvDoes) {
  EXPECT_EQ(run(alice_uid, {"hold", initiator, target_bar, "--", "true"}), 125);
  set_up_the_usual_pair();
  EXPECT_EQ(run(alice_uid, {"hold", initiator, target_bar, "--", "/nonexistent"}), 127);
  expect_nothing_is_held();
  EXPECT_EQ(run(alice_uid, {"hold", initiator, target_bar, "--", "/etc/passwd"}), 126);
  expect_nothing_is_held();
}

TEST_F(ClientLibrary, GivesAMappingInAFewLines) {
  set_up_the_usual_pair();
  auto client = connect();
  auto holding = client.acquire(initiator, {.address_bits = 28});
  EXPECT_GE(holding.device_fd(), 0);
  EXPECT_EQ(holding.backend(), "vfio-type1");

  const p2pclient::Buffer buffer(0x3000);
  const auto memory = holding.map_memory(buffer, {.offset = 0x1000});
  EXPECT_EQ(memory.length(), 0x2000U);
  const auto theirs = holding.map(target_bar);
  EXPECT_EQ(theirs.length(), target_length);
  EXPECT_LE(theirs.cookie().value + theirs.length(), 1U << 28);
  EXPECT_EQ(daemon->address_spaces().at(initiator).size(), 2U);

  const auto held = client.holdings();
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].path, holding.path());
  EXPECT_EQ(held[0].address_bits, 28U);
  EXPECT_EQ(client.mappings().size(), 2U);
}

TEST_F(ClientLibrary, GivesEverythingBackWhenAHoldingGoes) {
  set_up_the_usual_pair();
  auto client = connect();
  {
    auto holding = client.acquire(initiator);
    const auto theirs = holding.map(target_bar);
    EXPECT_EQ(daemon->address_spaces().at(initiator).size(), 1U);
  }
  expect_nothing_is_held();
  EXPECT_FALSE(daemon->address_spaces().contains(initiator));
}

TEST_F(ClientLibrary, WaitsUntilAllIsUnmappedInRelease) {
  set_up_the_usual_pair();
  auto client = connect();
  auto holding = client.acquire(initiator);
  auto theirs = holding.map(target_bar);
  const p2pclient::Buffer buffer(0x1000);
  const auto memory = holding.map_memory(buffer);
  theirs.release();
  EXPECT_EQ(daemon->address_spaces().at(initiator).size(), 1U);
  const auto device = holding.device();
  holding.release();
  EXPECT_FALSE(daemon->address_spaces().contains(initiator));
  EXPECT_GE(device.fd(), 0) << "the program's own copy of the device outlives the holding";
}

TEST_F(ClientLibrary, EndsAMappingWithItsOwnLease) {
  set_up_the_usual_pair();
  auto client = connect();
  auto holding = client.acquire(initiator);
  {
    const auto theirs = holding.map(target_bar, {.own_lease = true});
    EXPECT_EQ(daemon->address_spaces().at(initiator).size(), 1U);
  }
  eventually("the mapping is gone", [&] { return daemon->address_spaces().at(initiator).empty(); });
}

TEST_F(ClientLibrary, HearsThatAHoldingIsTakenAway) {
  set_up_the_usual_pair();
  auto client = connect();
  auto holding = client.acquire(initiator);
  EXPECT_FALSE(holding.lease().read());

  client.revoke(holding.path(), "maintenance", 100ms);
  const auto revoking = holding.lease().read(5s);
  ASSERT_TRUE(revoking);
  EXPECT_EQ(revoking->event, p2pclient::Notice::Event::revoking);
  EXPECT_EQ(revoking->grant, holding.path());
  EXPECT_LE(revoking->deadline, 100ms);
  const auto revoked = holding.lease().read(5s);
  ASSERT_TRUE(revoked);
  EXPECT_EQ(revoked->event, p2pclient::Notice::Event::revoked);
  const auto end = holding.lease().read(5s);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->event, p2pclient::Notice::Event::ended);
}

TEST_F(ClientLibrary, ThrowsWhatP2pdSaysByName) {
  auto client = connect();
  const auto name_of = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const p2pclient::Error& error) {
      return error.name();
    }
    return "nothing was thrown";
  };
  EXPECT_EQ(name_of([&] { (void)client.acquire(initiator); }), p2pclient::error_name::not_offered);
  EXPECT_EQ(name_of([&] { (void)client.acquire("0000:ff:00.0"); }), p2pclient::error_name::not_found);
  EXPECT_EQ(name_of([&] { (void)client.check(initiator, "nonsense"); }), p2pclient::error_name::invalid_argument);
  EXPECT_EQ(name_of([&] { client.enable(std::string(peer) + ":2:0x10+0x1000"); }), p2pclient::error_name::invalid_argument);
  EXPECT_EQ(name_of([&] { client.release("/org/p2pd1/holding/99"); }), "org.freedesktop.DBus.Error.UnknownObject");
}

TEST_F(ClientLibrary, LetsPolkitAskOnlyWhenTold) {
  const auto flags_of = [&](bool may_interact) {
    const auto before = polkit.questions().size();
    // Root is asked nothing: another user's connection is needed, which the environment of a program gives.
    (void)ChildProcess(
        {.arguments = {"/usr/bin/setpriv", "--reuid", std::to_string(alice_uid), "--clear-groups", P2P_CLIENT, "--bus",
                       bus.address(), may_interact ? "--color=auto" : "--no-ask-password", "offer", initiator},
         .environment = {{"PATH", "/usr/bin:/bin"}},
         .log = directory.path() / "offer.out"})
        .wait();
    return polkit.wait_for_question(before + 1).flags;
  };
  EXPECT_EQ(flags_of(false), 0U);
  EXPECT_EQ(flags_of(true), 1U);
}

}  // namespace
}  // namespace p2pd::test
