// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The XML files are the contract: what p2pd says of itself is exactly that.
#include "harness/introspection.h"

#include "harness/scene.h"

namespace p2pd::test {
namespace {

class Introspection : public Scene {
 protected:
  std::string document_of(const std::string& path) {
    return alice.call({.path = path, .method = "org.freedesktop.DBus.Introspectable.Introspect", .arguments = {}})
        .granted()[0]
        .text();
  }
};

TEST_F(Introspection, EqualsTheContract) {
  set_up_the_usual_pair();
  const auto held = acquire(alice, initiator);
  const std::map<std::string, std::string> objects{
      {"org.p2pd1.Manager", "/org/p2pd1"},
      {"org.p2pd1.Device", alice.device(peer)},
      {"org.p2pd1.Holding", held.path},
      {"org.p2pd1.Mapping", alice.map(held.path, target_bar).granted()[0].text()},
  };
  ASSERT_EQ(contract().size(), objects.size());
  for (const auto& interface : contract()) {
    ASSERT_FALSE(interface.members.empty()) << interface.name;
    EXPECT_EQ(members_of(document_of(objects.at(interface.name)), interface.name), interface.members) << interface.name;
  }
}

TEST_F(Introspection, ShowsThatTheRootIsAnObjectManager) {
  EXPECT_FALSE(members_of(document_of("/org/p2pd1"), "org.freedesktop.DBus.ObjectManager").empty());
}

TEST_F(Introspection, NeverLetsAPropertyBeWritten) {
  for (const auto& interface : contract()) {
    for (const auto& member : interface.members) {
      if (!member.starts_with("property ")) continue;
      EXPECT_NE(member.find(" read emits "), std::string::npos) << member;
    }
  }

  const auto answer = root.call({.path = root.device(peer),
                                 .method = "org.freedesktop.DBus.Properties.Set",
                                 .arguments = {"org.p2pd1.Device", "Offered", Variant{true}}});
  EXPECT_EQ(answer.error, "org.freedesktop.DBus.Error.PropertyReadOnly") << answer;
  EXPECT_EQ(root.properties(root.device(peer))["Offered"], false);
}

}  // namespace
}  // namespace p2pd::test
