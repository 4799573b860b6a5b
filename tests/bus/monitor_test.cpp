// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2p-client monitor, and the library's Monitor: every change is told, also over a restart of p2pd.
#include <gmock/gmock.h>
#include <p2pclient/p2pclient.h>
#include <signal.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "built_programs.h"
#include "harness/scene.h"

namespace p2pd::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using p2pclient::Change;
using p2pclient::Monitor;

class Monitoring : public Scene {
 protected:
  Monitoring() { ::chmod(directory.path().c_str(), 0755); }

  Monitor start() { return Monitor::start({.bus = bus.address()}); }

  void restart() {
    daemon->process().send(SIGTERM);
    EXPECT_EQ(daemon->process().wait(), 0);
    daemon = std::make_unique<DaemonProcess>(DaemonProcess::Settings{.bus = bus.address(),
                                                                     .directory = elsewhere.path(),
                                                                     .sysfs_root = tree.sysfs(),
                                                                     .proc_root = tree.top() / "proc",
                                                                     .configuration = ""});
  }

  // The next change that fits, out of those that come in time.
  static Change expect(Monitor& monitor, Change::Event event, const std::string& what,
                       const std::function<bool(const Change&)>& fits) {
    while (auto change = monitor.next(20s))
      if (change->event == event && fits(*change)) return *change;
    throw std::runtime_error("the monitor did not tell of: " + what);
  }
  static const p2pclient::Device* function(const Change::Object& object, const std::string& address) {
    const auto* device = std::get_if<p2pclient::Device>(&object);
    return device != nullptr && device->address == address ? device : nullptr;
  }

 private:
  TemporaryDirectory elsewhere;
};

TEST_F(Monitoring, TellsOfAFunctionThatIsOffered) {
  auto monitor = start();
  ASSERT_EQ(root.offer(initiator).error, "");
  const auto change = expect(monitor, Change::Event::changed, "the offer",
                             [](const Change& one) { return function(one.after, initiator) != nullptr; });
  EXPECT_FALSE(function(change.before, initiator)->is_offered);
  EXPECT_TRUE(function(change.after, initiator)->is_offered);
}

TEST_F(Monitoring, TellsOfAFunctionThatComes) {
  auto monitor = start();
  add_late_comer(tree);
  EXPECT_NE(alice.device(late_comer), "");  // looked for in sysfs because it was named
  const auto change = expect(monitor, Change::Event::added, "the late comer",
                             [](const Change& one) { return function(one.after, late_comer) != nullptr; });
  EXPECT_TRUE(std::holds_alternative<std::monostate>(change.before));
}

TEST_F(Monitoring, TellsTheLifeOfAGrantInItsOrder) {
  set_up_the_usual_pair();
  auto monitor = start();
  auto held = acquire(alice, initiator);
  const auto mapping = alice.map(held.path, target_bar).granted()[0].text();
  held.lease.close();
  std::vector<std::pair<Change::Event, std::string>> seen;
  while (seen.empty() || seen.back() != std::pair{Change::Event::removed, held.path}) {
    const auto change = monitor.next(20s);
    ASSERT_TRUE(change);
    if (change->path == held.path || change->path == mapping) seen.emplace_back(change->event, change->path);
  }
  const auto place_of = [&](Change::Event event, const std::string& path) {
    return std::find(seen.begin(), seen.end(), std::pair{event, path}) - seen.begin();
  };
  EXPECT_LT(place_of(Change::Event::added, held.path), place_of(Change::Event::added, mapping));
  EXPECT_LT(place_of(Change::Event::added, mapping), place_of(Change::Event::removed, mapping));
}

TEST_F(Monitoring, TellsWhyAndWhenAGrantIsTakenAway) {
  set_up_the_usual_pair();
  auto held = acquire(alice, initiator);
  auto monitor = start();
  const auto revocation = root.start(
      {.path = held.path, .method = "org.p2pd1.Holding.Revoke", .arguments = {"maintenance", Options{{"grace_ms", 60000U}}}});
  root.flush();
  const auto revoking = expect(monitor, Change::Event::revoking, "the first phase", [](const Change&) { return true; });
  EXPECT_EQ(revoking.path, held.path);
  EXPECT_EQ(revoking.reason, "operator");
  EXPECT_GT(revoking.deadline, 1s);
  EXPECT_LE(revoking.deadline, 60s);
  held.lease.close();
  (void)root.finish(revocation);
}

TEST_F(Monitoring, GoesOnAfterARestartWithWhatIsDifferent) {
  ASSERT_EQ(root.offer(initiator).error, "");
  auto monitor = start();
  restart();
  expect(monitor, Change::Event::stopped, "the stop", [](const Change&) { return true; });
  expect(monitor, Change::Event::started, "the start", [](const Change&) { return true; });
  const auto change = expect(monitor, Change::Event::changed, "the offer that is forgotten",
                             [](const Change& one) { return function(one.after, initiator) != nullptr; });
  EXPECT_TRUE(function(change.before, initiator)->is_offered);
  EXPECT_FALSE(function(change.after, initiator)->is_offered);
}

TEST_F(Monitoring, PrintsALineForEachChange) {
  const auto output = directory.path() / "monitor.out";
  const ChildProcess program({.arguments = {"/usr/bin/setpriv", "--reuid", std::to_string(alice_uid), "--clear-groups",
                                            P2P_CLIENT, "--bus", bus.address(), "monitor", "--json"},
                              .environment = {{"PATH", "/usr/bin:/bin"}},
                              .log = output});
  // It does not say when it is ready.
  eventually("a change is printed", [&] {
    EXPECT_EQ(root.offer(initiator).error, "");
    EXPECT_EQ(root.withdraw(initiator).error, "");
    return read_file(output).find('\n') != std::string::npos;
  });
  std::istringstream lines(read_file(output));
  std::string first;
  std::getline(lines, first);
  const auto change = json::parse(first);
  EXPECT_EQ(change.at("schema"), "p2p-client/1");
  EXPECT_EQ(change.at("event"), "changed");
  EXPECT_EQ(change.at("kind"), "function");
  EXPECT_EQ(change.at("after").at("address"), initiator);
  EXPECT_NE(change.at("before").at("offered"), change.at("after").at("offered"));
}

}  // namespace
}  // namespace p2pd::test
