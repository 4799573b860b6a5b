// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is to be seen on the bus: objects, properties and how their changes are announced.
#include "harness/scene.h"

namespace p2pd::test {
namespace {

constexpr std::uint64_t hidden_uid = 4294967295;

class Objects : public Scene {
 protected:
  // Value of a list of structs whose first member is `key`.
  static const Value& row_of(const Value& list, const Value& key) {
    for (const auto& row : list.list())
      if (row[0] == key) return row;
    throw std::out_of_range("no row " + key.dump() + " in " + list.dump());
  }
};

TEST_F(Objects, ShowEveryFunctionWithItsFacts) {
  const auto all = alice.objects();
  std::set<std::string> addresses;
  for (const auto& [path, interfaces] : all.dict())
    if (interfaces.contains("org.p2pd1.Device")) addresses.insert(interfaces["org.p2pd1.Device"]["Address"].text());
  EXPECT_EQ(addresses.size(), 20U);

  const auto facts = all[alice.device(peer)]["org.p2pd1.Device"];
  EXPECT_EQ(facts, alice.properties(alice.device(peer))) << "the same by both ways";
  EXPECT_EQ(facts["Address"], peer);
  EXPECT_EQ(facts["VendorId"], 0x1d1d);
  EXPECT_EQ(facts["ClassCode"], 0x050000);
  EXPECT_EQ(facts["Driver"], "vfio-pci");
  EXPECT_EQ(facts["NumaNode"], -1);
  EXPECT_EQ(facts["Parent"], "0000:02:01.0");
  EXPECT_EQ(facts["RootBus"], "0000:00");
  EXPECT_EQ(facts["PortType"], "endpoint");
  const auto& bar = row_of(facts["Bars"], 2);
  EXPECT_EQ(bar[1], 0x4000000000);
  EXPECT_EQ(bar[2], target_length);
  EXPECT_EQ(bar[3], (Value::List{"memory", "64bit", "prefetchable", "assigned"}));
  EXPECT_EQ(bar[4], "disabled");
  EXPECT_EQ(facts["BarCpuAddresses"]["2"], 0x4000000000);

  const auto port = alice.properties(alice.device("0000:02:01.0"));
  EXPECT_EQ(port["PortType"], "switch-downstream");
  EXPECT_EQ(port["Acs"], (Value::List{"present", 0x7f, 0x1d}));
  EXPECT_EQ(alice.properties(alice.device(root_port))["PortType"], "root-port");
  EXPECT_GT(alice.properties(alice.device(disk))["MsixRanges"].size(), 0U);
  EXPECT_EQ(alice.properties(alice.device(driverless))["Driver"], "");
}

TEST_F(Objects, ShowWhatP2pdCanDo) {
  const auto manager = alice.properties("/org/p2pd1");
  EXPECT_EQ(manager["ApiVersion"], 1);
  EXPECT_EQ(manager["Backends"], (Value::List{"vfio-type1"}));
  EXPECT_EQ(manager["Virtualization"], "none");
  EXPECT_TRUE(manager["Features"].contains("map"));
  EXPECT_EQ(manager["Problems"], Value::List{});
}

TEST_F(Objects, AnnounceTargetsAndOffers) {
  const auto target = bob.device(peer);
  const auto offered = bob.device(initiator);
  const auto generation = bob.properties("/org/p2pd1")["Generation"].number();

  (void)root.enable("0000:04:00.0:2:0+0x1000", {{"access", "r"}, {"exclusive", false}}).granted();
  const auto targets = bob.expect_changed(target, "Targets", [](const Value& value) { return value.size() == 1; });
  EXPECT_EQ(targets[0], (Value::List{"0000:04:00.0:2:0x0+0x1000", false, "r", "enabled"}));
  EXPECT_EQ(row_of(bob.properties(target)["Bars"], 2)[4], "partial");
  EXPECT_GT(bob.expect_changed("/org/p2pd1", "Generation").number(), generation);

  (void)root.offer(initiator, {{"group", "root"}}).granted();
  EXPECT_EQ(bob.expect_changed(offered, "Offered"), true);
  EXPECT_EQ(bob.properties(offered)["OfferGroup"], "root");

  (void)root.disable("0000:04:00.0:2:0+0x1000").granted();
  EXPECT_EQ(bob.expect_changed(target, "Targets", [](const Value& value) { return value.size() == 0; }), Value::List{});
  EXPECT_EQ(row_of(bob.properties(target)["Bars"], 2)[4], "disabled");
  (void)root.withdraw(initiator).granted();
  EXPECT_EQ(bob.expect_changed(offered, "Offered", [](const Value& value) { return !value.flag(); }), false);
}

TEST_F(Objects, AnnounceHoldingsAndMappings) {
  set_up_the_usual_pair();
  const auto held = acquire(alice, initiator, {{"address_bits", 40U}});
  const auto holding = bob.expect_added(held.path)["org.p2pd1.Holding"];
  EXPECT_EQ(holding["Initiator"], initiator);
  EXPECT_EQ(holding["Backend"], "vfio-type1");
  EXPECT_EQ(holding["State"], "active");
  EXPECT_EQ(holding["AddressBits"], 40);
  EXPECT_EQ(holding["Mappings"], Value::List{});

  const auto granted = alice.map(held.path, target_bar, {{"access", "w"}}).granted();
  const auto path = granted[0].text();
  const auto mapping = bob.expect_added(path)["org.p2pd1.Mapping"];
  EXPECT_EQ(mapping["Holding"], held.path);
  EXPECT_EQ(mapping["Kind"], "peer");
  EXPECT_EQ(mapping["Target"], "0000:04:00.0:2:0x0+0x100000");
  EXPECT_EQ(mapping["Cookie"], granted[1]);
  EXPECT_EQ(mapping["Length"], target_length);
  EXPECT_EQ(mapping["Access"], "w");
  EXPECT_EQ(mapping["Route"], "root-complex");
  EXPECT_EQ(mapping["OwnLease"], false);
  EXPECT_EQ(bob.expect_changed(held.path, "Mappings"), (Value::List{path}));

  const auto memory = sealed_memory(0x1000);
  const auto own = alice.map_memory(held.path, memory.get(), 0, 0x1000).granted()[0].text();
  EXPECT_EQ(bob.expect_added(own)["org.p2pd1.Mapping"]["Kind"], "memory");

  (void)alice.release(path).granted();
  bob.expect_removed(path);
  EXPECT_EQ(bob.expect_changed(held.path, "Mappings", [](const Value& value) { return value.size() == 1; }), (Value::List{own}));
  (void)alice.release(held.path).granted();
  bob.expect_removed(own);
  bob.expect_removed(held.path);
}

TEST_F(Objects, ShowOwnersToTheOwnerAndToRootOnly) {
  set_up_the_usual_pair();
  const auto held = acquire(alice, initiator);
  const auto owner_seen_by = [&](Client& client) {
    const auto each = client.properties(held.path);
    const auto all = client.objects()[held.path]["org.p2pd1.Holding"];
    EXPECT_EQ(each, all) << "the same by both ways";
    return each;
  };
  EXPECT_EQ(owner_seen_by(alice)["OwnerUid"], alice_uid);
  EXPECT_EQ(owner_seen_by(alice)["OwnerPid"], ::getpid());
  EXPECT_EQ(owner_seen_by(root)["OwnerUid"], alice_uid);
  EXPECT_EQ(owner_seen_by(bob)["OwnerUid"], hidden_uid);
  EXPECT_EQ(owner_seen_by(bob)["OwnerPid"], 0);
  EXPECT_EQ(owner_seen_by(bob)["OwnerUnit"], "");
  const auto broadcast = bob.expect_added(held.path)["org.p2pd1.Holding"];
  EXPECT_TRUE(!broadcast.contains("OwnerUid") || broadcast["OwnerUid"] == hidden_uid) << broadcast;
}

TEST_F(Objects, FindAFunctionThatCameUnnoticed) {
  EXPECT_EQ(alice.check(late_comer, target_bar).error, "NotFound");
  add_late_comer(tree);
  const auto path = alice.device(late_comer);
  EXPECT_EQ(bob.expect_added(path)["org.p2pd1.Device"]["Address"], late_comer);
  EXPECT_EQ(alice.check(late_comer, target_bar).error, "");
}

TEST_F(Objects, AreNumberedAnewEachTime) {
  set_up_the_usual_pair();
  std::set<std::string> paths;
  for (int times = 0; times < 3; ++times) {
    const auto held = acquire(alice, initiator);
    EXPECT_TRUE(paths.insert(held.path).second) << held.path << " was somebody's before";
    (void)alice.release(held.path).granted();
  }
}

}  // namespace
}  // namespace p2pd::test
