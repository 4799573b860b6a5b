// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whatever clients and the kernel do, p2pd answers every request, lives on, and nothing is left lying about.
#include "harness/introspection.h"
#include "harness/scene.h"

namespace p2pd::test {
namespace {

class Robustness : public Scene {
 protected:
  void SetUp() override { set_up_the_usual_pair(); }

  static Client::Call acquire_call(const Lease& lease) {
    return {.path = "/org/p2pd1", .method = "org.p2pd1.Manager.Acquire", .arguments = {initiator, lease.theirs(), Options{}}};
  }
};

TEST_F(Robustness, AnswersEveryMethodThatIsCalledWithAnotherTypes) {
  const auto held = acquire(alice, initiator);
  const std::map<std::string, std::string> objects{
      {"org.p2pd1.Manager", "/org/p2pd1"},
      {"org.p2pd1.Device", alice.device(peer)},
      {"org.p2pd1.Holding", held.path},
      {"org.p2pd1.Mapping", alice.map(held.path, target_bar).granted()[0].text()},
  };
  const std::vector<Arguments> nonsense{
      {std::uint8_t{1}}, {"text", "text", "text", "text", "text", "text"}, {Options{{"a", 1U}}, Options{}}, {Path{"/"}, 1U}};
  for (const auto& interface : contract())
    for (const auto& method : interface.methods)
      for (const auto& arguments : nonsense)
        for (auto* client : {&alice, &root})
          EXPECT_EQ(
              client->call({.path = objects.at(interface.name), .method = interface.name + "." + method, .arguments = arguments})
                  .error,
              "org.freedesktop.DBus.Error.InvalidArgs")
              << interface.name << "." << method;
  EXPECT_TRUE(daemon->is_alive());
  EXPECT_EQ(alice.release(held.path).error, "");
}

TEST_F(Robustness, KeepsEveryDescriptorFromProgramsThatItMightRun) {
  const auto held = acquire(alice, initiator);
  Lease lease;
  const auto memory = sealed_memory(0x1000);
  (void)alice.map_memory(held.path, memory.get(), 0, 0x1000, {{"lease", lease.theirs()}}).granted();
  (void)alice.map(held.path, target_bar).granted();
  const std::set<int> standard{0, 1, 2};
  EXPECT_GT(daemon->open_fds().size(), standard.size());
  EXPECT_EQ(daemon->inheritable_fds(), standard);
}

TEST_F(Robustness, LeavesNothingForAClientThatDiesWhileTheDeviceIsOpened) {
  use_the_usual_pair_once();
  const auto before = traces();
  const auto gate = daemon->block("open");
  Lease lease;
  {
    Client short_lived(bus, alice_uid);
    (void)short_lived.start(acquire_call(lease));
    short_lived.flush();
    gate->wait_until_reached();
    short_lived.vanish();
  }
  lease.close();
  lease.close_theirs();
  gate->open();
  eventually("the device was opened", [&] {
    const auto steps = daemon->vfio();
    return std::count(steps.begin(), steps.end(), "open " + std::string(initiator)) == 2;
  });
  expect_no_trace_since(before);
  EXPECT_EQ(root.grants(), std::set<std::string>{});
}

TEST_F(Robustness, LeavesNothingForAClientThatDiesWhileItsMemoryIsMapped) {
  use_the_usual_pair_once();
  const auto before = traces();
  auto held = acquire(alice, initiator);
  const auto gate = daemon->block("map");
  const auto memory = sealed_memory(0x1000);
  (void)alice.start({.path = "/org/p2pd1",
                     .method = "org.p2pd1.Manager.MapMemory",
                     .arguments = {Path{held.path}, Fd{memory.get()}, std::uint64_t{0}, std::uint64_t{0x1000}, Options{}}});
  alice.flush();
  gate->wait_until_reached();
  alice.vanish();
  held.lease.close();
  held.device.reset();
  gate->open();
  root.expect_removed(held.path);
  expect_no_trace_since(before);
}

TEST_F(Robustness, AnswersOthersWhileTheKernelIsSlow) {
  const auto gate = daemon->block("open");
  const Lease lease;
  const auto ticket = alice.start(acquire_call(lease));
  alice.flush();
  gate->wait_until_reached();
  bob.ping();
  EXPECT_EQ(bob.check(initiator, target_bar).error, "");
  EXPECT_FALSE(ticket->has_value());
  gate->open();
  EXPECT_EQ(alice.finish(ticket).error, "");
}

TEST_F(Robustness, RollsBackWhenTheKernelRefusesToOpen) {
  const auto before = traces();
  daemon->refuse("open");
  Lease lease;
  const auto answer = alice.acquire(initiator, lease);
  EXPECT_EQ(answer.error, "Failed");
  EXPECT_NE(answer.text.find("Input/output error"), std::string::npos) << answer;
  lease.close_theirs();
  lease.wait_for_end();
  expect_no_trace_since(before);
  daemon->allow("open");
  (void)acquire(alice, initiator);
}

TEST_F(Robustness, RollsBackWhenTheKernelRefusesToMap) {
  use_the_usual_pair_once();
  const auto held = acquire(alice, initiator);
  const auto before = traces();
  for (const auto* step : {"map", "map-bar"}) {
    daemon->refuse(step);
    EXPECT_EQ(alice.map(held.path, target_bar).error, "Failed") << step;
    expect_no_trace_since(before);
    daemon->allow(step);
  }
  EXPECT_EQ(alice.map(held.path, target_bar).error, "");
}

TEST_F(Robustness, TakesTheWholeHoldingBackWhenOneMappingCannotBeUnmapped) {
  const auto held = acquire(alice, initiator);
  const auto mapping = alice.map(held.path, target_bar).granted()[0].text();
  daemon->refuse("unmap");
  (void)alice.release(mapping);
  root.expect_removed(held.path);
  EXPECT_FALSE(daemon->address_spaces().contains(initiator));
  held.lease.wait_for_end();
}

}  // namespace
}  // namespace p2pd::test
