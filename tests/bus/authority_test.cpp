// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who may do what: nobody anything, unless the table of p2pd, polkit or being root says so.
#include "bus/authority_table.h"

#include <array>

#include "harness/introspection.h"
#include "harness/scene.h"

namespace p2pd::test {
namespace {

class Authority : public Scene {
 protected:
  // A good call of every method of the contract.
  std::map<std::string, Client::Call> every_method(const std::string& holding, const std::string& mapping,
                                                   const std::array<Lease, 3>& leases, int memory) {
    const std::string manager = "org.p2pd1.Manager.";
    const std::string device = "org.p2pd1.Device.";
    const std::string on_target = root.device(disk);
    const std::string on_initiator = root.device(switched_initiator);
    const Arguments range{0U, std::uint64_t{0x4000}, std::uint64_t{0x1000}, Options{}};
    const Arguments options{Options{}};
    std::map<std::string, Client::Call> calls;
    const auto add = [&](const std::string& path, const std::string& method, const Arguments& arguments) {
      calls[method] = {.path = path, .method = method, .arguments = arguments};
    };
    add("/org/p2pd1", manager + "GetDeviceByAddress", {initiator});
    add("/org/p2pd1", manager + "Check", {initiator, target_bar, Options{}});
    add("/org/p2pd1", manager + "GetReachSet", {initiator});
    add("/org/p2pd1", manager + "CheckAll", options);
    add("/org/p2pd1", manager + "GetStatistics", {});
    add("/org/p2pd1", manager + "Acquire", {other_initiator, leases[0].theirs(), Options{}});
    add("/org/p2pd1", manager + "MapMemory", {Path{holding}, Fd{memory}, std::uint64_t{0}, std::uint64_t{0x1000}, Options{}});
    add("/org/p2pd1", manager + "Map", {Path{holding}, target_bar, Options{}});
    add("/org/p2pd1", manager + "ExportDmaBuf", {target_bar, leases[1].theirs(), Options{}});
    add("/org/p2pd1", manager + "AllocatePeerMemory", {target_bar, std::uint64_t{0x1000}, leases[2].theirs(), Options{}});
    add("/org/p2pd1", manager + "Reload", {});
    add(on_target, device + "Enable", range);
    add(on_target, device + "Disable", range);
    add(on_initiator, device + "Offer", options);
    add(on_initiator, device + "Withdraw", options);
    add(on_initiator, device + "Bind", options);
    add(on_initiator, device + "Unbind", options);
    add(on_initiator, device + "Reset", options);
    for (const auto& [path, interface] : {std::pair{holding, "org.p2pd1.Holding."}, std::pair{mapping, "org.p2pd1.Mapping."}}) {
      add(path, interface + std::string("Release"), options);
      add(path, interface + std::string("Revoke"), {"because", Options{}});
    }
    return calls;
  }
};

TEST_F(Authority, HasARowForEveryMethodOfTheContractAndForNoOther) {
  std::set<std::string> rows;
  for (const auto& row : authority_table()) rows.insert(std::string(row.interface) + "." + std::string(row.method));
  std::set<std::string> methods;
  for (const auto& interface : contract())
    for (const auto& method : interface.methods) methods.insert(interface.name + "." + method);
  EXPECT_EQ(rows, methods);
  EXPECT_EQ(rows.size(), authority_table().size()) << "each once";
}

TEST_F(Authority, RefusesAnUnprivilegedCallerWhateverChangesSomething) {
  set_up_the_usual_pair();
  (void)root.offer(other_initiator).granted();
  const auto held = acquire(alice, initiator);
  const auto mapping = alice.map(held.path, target_bar).granted()[0].text();
  const std::array<Lease, 3> leases;
  const auto memory = sealed_memory(0x1000);
  const auto calls = every_method(held.path, mapping, leases, memory.get());

  const std::set<std::string> free{"org.p2pd1.Manager.GetDeviceByAddress", "org.p2pd1.Manager.Check",
                                   "org.p2pd1.Manager.GetReachSet", "org.p2pd1.Manager.CheckAll",
                                   "org.p2pd1.Manager.GetStatistics"};
  Client carol(bus, carol_uid);
  const auto before = traces();
  for (const auto& interface : contract()) {
    for (const auto& name : interface.methods) {
      const auto method = interface.name + "." + name;
      ASSERT_TRUE(calls.contains(method)) << method << " is new: say here who may call it";
      const auto expected = free.contains(method) ? "" : "NotPermitted";
      EXPECT_EQ(carol.call(calls.at(method)).error, expected) << method;
    }
  }
  expect_no_trace_since(before);
}

TEST_F(Authority, LetsRootDoItWithoutAskingPolkit) {
  EXPECT_EQ(root.enable(target_bar).error, "");
  EXPECT_EQ(root.offer(initiator).error, "");
  const auto held = acquire(root, initiator);
  EXPECT_EQ(root.map(held.path, target_bar).error, "");
  EXPECT_EQ(root.revoke(held.path, "enough").error, "");
  EXPECT_TRUE(polkit.questions().empty());
}

TEST_F(Authority, LetsRootReleaseAndRevokeWhatOthersHave) {
  set_up_the_usual_pair();
  auto held = acquire(alice, initiator);
  EXPECT_EQ(root.release(held.path).error, "");
  held.device.reset();
  EXPECT_EQ(root.revoke(acquire(alice, initiator).path, "enough").error, "");
}

TEST_F(Authority, AsksPolkitForTheActionOfTheMethod) {
  const auto asked_for = [&](const std::function<void()>& request) {
    const auto before = polkit.questions().size();
    request();
    EXPECT_EQ(polkit.questions().size(), before + 1);
    EXPECT_EQ(polkit.last_question().uid, alice_uid);
    return polkit.last_question().action;
  };
  EXPECT_EQ(asked_for([&] { alice.enable(target_bar); }), "org.p2pd1.enable-target");
  EXPECT_EQ(asked_for([&] { alice.disable(target_bar); }), "org.p2pd1.enable-target");
  EXPECT_EQ(asked_for([&] { alice.offer(initiator); }), "org.p2pd1.offer-initiator");
  EXPECT_EQ(asked_for([&] { alice.withdraw(initiator); }), "org.p2pd1.offer-initiator");
  EXPECT_EQ(asked_for([&] { alice.bind(initiator); }), "org.p2pd1.bind-driver");
  EXPECT_EQ(asked_for([&] { alice.unbind(initiator); }), "org.p2pd1.bind-driver");
  EXPECT_EQ(asked_for([&] { alice.reset(initiator); }), "org.p2pd1.revoke");
  const Lease lease;
  EXPECT_EQ(asked_for([&] { alice.acquire(initiator, lease); }), "org.p2pd1.acquire");

  set_up_the_usual_pair();
  const auto held = acquire(alice, initiator);
  const auto memory = sealed_memory(0x1000);
  EXPECT_EQ(asked_for([&] { alice.map_memory(held.path, memory.get(), 0, 0x1000); }), "org.p2pd1.map");
  EXPECT_EQ(asked_for([&] { alice.map(held.path, target_bar); }), "org.p2pd1.map");
  EXPECT_EQ(asked_for([&] { alice.revoke(held.path, "mine"); }), "org.p2pd1.revoke");
}

TEST_F(Authority, DoesWhatPolkitAllows) {
  EXPECT_EQ(alice.enable(target_bar).error, "NotPermitted");
  polkit.allow("enable-target", alice_uid);
  EXPECT_EQ(alice.enable(target_bar).error, "");
  EXPECT_EQ(bob.disable(target_bar).error, "NotPermitted") << "alice may, not bob";
  EXPECT_EQ(alice.disable(target_bar).error, "");
  polkit.deny("enable-target", alice_uid);
  EXPECT_EQ(alice.enable(target_bar).error, "NotPermitted") << "asked anew each time";
}

TEST_F(Authority, TellsPolkitWhatItIsAbout) {
  set_up_the_usual_pair();
  const auto held = acquire(alice, initiator);
  (void)alice.map(held.path, target_bar).granted();
  const auto details = polkit.last_question().details;
  EXPECT_EQ(details.at("initiator"), initiator);
  EXPECT_EQ(details.at("target"), target_bar);
  EXPECT_NE(details.at("verdict").find("yes"), std::string::npos) << details.at("verdict");
}

TEST_F(Authority, LetsPolkitAskTheUserOnlyIfTheMessageAllowsIt) {
  const Client::Call enable{.path = root.device(peer),
                            .method = "org.p2pd1.Device.Enable",
                            .arguments = {2U, std::uint64_t{0}, std::uint64_t{0}, Options{}}};
  auto interactive = enable;
  interactive.may_interact = true;
  (void)alice.call(interactive);
  EXPECT_EQ(polkit.last_question().flags, 1U);
  (void)alice.call(enable);
  EXPECT_EQ(polkit.last_question().flags, 0U);
}

TEST_F(Authority, AsksForASwitchRouteInAddition) {
  let_clients_work();
  (void)root.enable(switched_target_bar).granted();
  (void)root.offer(switched_initiator).granted();
  const Lease refused;
  EXPECT_EQ(alice.acquire(switched_initiator, refused).error, "NotPermitted") << "it needs no mapping to get there";
  EXPECT_EQ(polkit.last_question().action, "org.p2pd1.switch-route");
  polkit.allow("switch-route", alice_uid);
  const auto held = acquire(alice, switched_initiator);
  polkit.deny("switch-route", alice_uid);
  EXPECT_EQ(alice.map(held.path, switched_target_bar).error, "NotPermitted");
  polkit.allow("switch-route", alice_uid);
  const auto granted = alice.map(held.path, switched_target_bar).granted();
  EXPECT_EQ(granted[1], switched_target_address) << "the cookie is the bus address";
  EXPECT_EQ(root.properties(granted[0].text())["Route"], "switch");
}

TEST_F(Authority, LendsToTheGroupThatItWasOfferedTo) {
  let_clients_work();
  constexpr gid_t video = 44;  // on every Debian
  (void)root.offer(initiator, {{"group", "video"}}).granted();
  const Lease refused;
  EXPECT_EQ(alice.acquire(initiator, refused).error, "NotPermitted");
  Client member(bus, alice_uid, {video});
  (void)acquire(member, initiator);
}

TEST_F(Authority, GoesByTheEffectiveUser) {
  // The test's own real user is root all the time; alice is only who it was in effect when it connected.
  ASSERT_EQ(::getuid(), 0U);
  EXPECT_EQ(alice.enable(target_bar).error, "NotPermitted");
  EXPECT_EQ(root.enable(target_bar).error, "");
}

}  // namespace
}  // namespace p2pd::test
