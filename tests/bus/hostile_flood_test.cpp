// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Floods: every kind of message, as many as the bus takes, by clients who read the answers, who do not, and who want none.
#include "hostile_client.h"

namespace p2pd::test {
namespace {

using Call = Client::Call;
using Reply = Attacker::Reply;
using Say = std::function<Call(HostileClient&)>;

// As many calls as dbus-daemon lets a connection have open are 128.
constexpr std::uint64_t many = 100;
constexpr int a_few = 20;

auto at_once(const Say& say) {
  return [say](HostileClient& test) {
    return [call = say(test)](Attacker& attacker) {
      while (attacker.in_flight() < many) attacker.send(call, Reply::wanted);
      attacker.read();
    };
  };
}

auto without_reading(const Say& say) {
  return [say](HostileClient& test) {
    return [call = say(test)](Attacker& attacker) {
      for (int count = 0; count < a_few; ++count) attacker.send(call, Reply::wanted);
    };
  };
}

auto without_answer(const Say& say) {
  return [say](HostileClient& test) {
    return [call = say(test)](Attacker& attacker) {
      for (int count = 0; count < a_few; ++count) attacker.send(call, Reply::unwanted);
    };
  };
}

Call on_root(const char* method, Arguments arguments = {}) {
  return {.path = "/org/p2pd1", .method = method, .arguments = std::move(arguments)};
}

Call ping(HostileClient&) { return on_root("org.freedesktop.DBus.Peer.Ping"); }
Call check(HostileClient&) { return on_root("org.p2pd1.Manager.Check", {initiator, target_bar, Options{}}); }
Call get(HostileClient& test) {
  return {.path = test.alice.device(initiator),
          .method = "org.freedesktop.DBus.Properties.Get",
          .arguments = {"org.p2pd1.Device", "Address"}};
}
Call get_all(HostileClient& test) {
  return {.path = test.alice.device(initiator),
          .method = "org.freedesktop.DBus.Properties.GetAll",
          .arguments = {"org.p2pd1.Device"}};
}
Call introspect(HostileClient& test) {
  return {.path = test.alice.device(initiator), .method = "org.freedesktop.DBus.Introspectable.Introspect", .arguments = {}};
}
Call all_objects(HostileClient&) { return on_root("org.freedesktop.DBus.ObjectManager.GetManagedObjects"); }
Call large_question(HostileClient&) {
  return on_root("org.p2pd1.Manager.CheckAll",
                 {Options{{"initiators", Strings(300, initiator)}, {"targets", Strings(300, target_bar)}}});
}
Call enable(HostileClient& test) {
  return {.path = test.alice.device(peer),
          .method = "org.p2pd1.Device.Enable",
          .arguments = {2U, std::uint64_t{0}, std::uint64_t{0}, Options{}}};
}
Call revoke(HostileClient& test) {
  return {.path = test.held.path, .method = "org.p2pd1.Holding.Revoke", .arguments = {"because", Options{}}};
}
Call no_method(HostileClient&) { return on_root("org.p2pd1.Manager.Nothing"); }
Call no_object(HostileClient&) {
  return {.path = "/org/p2pd1/nothing", .method = "org.p2pd1.Device.Reset", .arguments = {Options{}}};
}
Call other_types(HostileClient&) { return on_root("org.p2pd1.Manager.Check", {1U, 2U}); }
Call many_options(HostileClient&) {
  return on_root("org.p2pd1.Manager.Check", {initiator, target_bar, Options(10000, {"nonsense", std::uint8_t{0}})});
}
auto signals(HostileClient&) {
  return [](Attacker& attacker) {
    for (int count = 0; count < a_few; ++count) attacker.send_signal(on_root("org.p2pd1.Manager.Nonsense"));
  };
}

// Each of them gets its share, one after the other.
constexpr std::chrono::milliseconds of_many{1500};
constexpr unsigned some = 5;
// polkit and the bus have a part in each.
constexpr std::chrono::milliseconds of_requests{1000};

const Attack attacks[] = {
    {"PingAtOnce", at_once(ping)},
    {"CheckAtOnce", at_once(check)},
    {"GetAtOnce", at_once(get)},
    {"GetAllAtOnce", at_once(get_all)},
    {"IntrospectAtOnce", at_once(introspect)},
    {"AllObjectsAtOnce", at_once(all_objects)},
    {"LargeQuestionsAtOnce", at_once(large_question)},
    {"EnableWithoutTheRight", at_once(enable), of_requests},
    {"RevokeWithoutTheRight", at_once(revoke), of_requests},
    {"OfNoObject", at_once(no_object)},
    {"OfOtherTypes", at_once(other_types)},
    {"ManyOptions", at_once(many_options)},
    {"CheckBySome", at_once(check), of_many, some},
    {"GetAllBySome", at_once(get_all), of_many, some},
};

const Attack floods[] = {
    {"Ping", without_answer(ping)},
    {"PingUnread", without_reading(ping)},
    {"Check", without_answer(check)},
    {"CheckUnread", without_reading(check)},
    {"Get", without_answer(get)},
    {"GetUnread", without_reading(get)},
    {"GetAll", without_answer(get_all)},
    {"GetAllUnread", without_reading(get_all)},
    {"Introspect", without_answer(introspect)},
    {"IntrospectUnread", without_reading(introspect)},
    {"AllObjects", without_answer(all_objects)},
    {"AllObjectsUnread", without_reading(all_objects)},
    {"Enable", without_answer(enable)},
    {"OfNoMethod", without_answer(no_method)},
    {"OfOtherTypesUnread", without_reading(other_types)},
    {"Signals", signals},
};

INSTANTIATE_TEST_SUITE_P(Calls, HostileAttack, in_table_of_attacks(attacks), attack_name);
INSTANTIATE_TEST_SUITE_P(Of, HostileFlood, in_table_of_attacks(floods), attack_name);

}  // namespace
}  // namespace p2pd::test
