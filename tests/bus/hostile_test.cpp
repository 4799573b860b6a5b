// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Clients that ask for more than anybody needs, or do not read what they asked for. What dbus-daemon does against them: a
// connection may have 128 calls that are not answered (so ten thousand take many connections), one user 256 connections.
#include "harness/siege.h"

namespace p2pd::test {
namespace {

using Hostile = Siege;

// ---- who does not read

// One after the other sends, as long as the bus takes something. The bus keeps what nobody reads, 127 MiB for each connection:
// not for ever, or this is an attack on the memory of the machine.
Siege::Step without_reading(std::vector<Attacker> attackers, const Client::Call& call) {
  auto all = std::make_shared<std::vector<Attacker>>(std::move(attackers));
  return [all, call, sent = std::size_t{0}]() mutable {
    constexpr std::size_t most_in_all = 100'000;
    constexpr std::size_t at_once = 16;
    auto& attacker = (*all)[sent / at_once % all->size()];
    if (attacker.is_full() || sent >= most_in_all) return std::this_thread::sleep_for(std::chrono::milliseconds{1});
    for (std::size_t count = 0; count < at_once; ++count) attacker.send(call);
    sent += at_once;
  };
}

struct Question {
  const char* name;
  Client::Call call;
};
std::ostream& operator<<(std::ostream& stream, const Question& question) { return stream << question.name; }

const std::string a_device = "/org/p2pd1/device/0000_3a04_3a00_2e0";

const Question questions[] = {
    {"Ping", ping_call()},
    {"Properties", properties_call(a_device, "org.p2pd1.Device")},
    {"AllObjects", {"/org/p2pd1", "org.freedesktop.DBus.ObjectManager.GetManagedObjects", {}}},
    {"Introspection", {a_device, "org.freedesktop.DBus.Introspectable.Introspect", {}}},
    {"LargeChecks",
     manager_call("CheckAll", {Options{{"initiators", Strings(64, initiator)}, {"targets", Strings(128, target_bar)}}})},
    {"AcquireOfNonsense", manager_call("Acquire", {"nonsense", Fd{0}, Options{}})},
    {"AcquireOfWhatIsNotOffered", manager_call("Acquire", {disk, Fd{0}, Options{}})},
    {"MapOnNothing", manager_call("Map", {Path{"/org/p2pd1/holding/4711"}, target_bar, Options{}})},
};

class Unread : public Siege, public testing::WithParamInterface<Question> {};

TEST_P(Unread, Answers) { withstand(without_reading(attackers(16), GetParam().call)); }

INSTANTIATE_TEST_SUITE_P(To, Unread, testing::ValuesIn(questions),
                         [](const auto& question) { return std::string(question.param.name); });

TEST_F(Hostile, UnreadSignals) {
  auto listeners = std::make_shared<std::vector<Attacker>>(attackers(64));
  for (auto& listener : *listeners) listener.listen();
  auto operators = std::make_shared<std::vector<Attacker>>(attackers(1, 0));
  const auto path = root.device(other_initiator);
  withstand([listeners, operators, path] {
    auto& them = operators->front();
    (void)them.discard();
    if (them.in_flight() != 0) return;
    them.send({path, "org.p2pd1.Device.Offer", {Options{}}});
    them.send({path, "org.p2pd1.Device.Withdraw", {Options{}}});
  });
  (void)root.withdraw(other_initiator);
}

// ---- who asks and asks

// Reads, so that the bus never ceases to let more through: as many in flight as the bus allows, ten thousand in all.
Siege::Step flood(std::vector<Attacker> attackers, const Client::Call& call) {
  auto all = std::make_shared<std::vector<Attacker>>(std::move(attackers));
  return [all, call] {
    constexpr std::size_t most_for_the_bus = 127;
    for (auto& attacker : *all) {
      (void)attacker.discard();
      while (attacker.in_flight() < most_for_the_bus && !attacker.is_full()) attacker.send(call);
    }
  };
}
constexpr std::size_t for_ten_thousand = 79;

class Flood : public Siege, public testing::WithParamInterface<Question> {};

TEST_P(Flood, OfTenThousandRequests) { withstand(flood(attackers(for_ten_thousand), GetParam().call)); }

INSTANTIATE_TEST_SUITE_P(Of, Flood, testing::ValuesIn(questions),
                         [](const auto& question) { return std::string(question.param.name); });

// Calls that want no answer are not counted by the bus.
TEST_F(Hostile, FloodThatWantsNoAnswers) {
  auto deaf = std::make_shared<std::vector<Attacker>>(attackers(8));
  withstand([deaf] {
    for (auto& attacker : *deaf) {
      (void)attacker.discard();
      for (int count = 0; count < 100 && !attacker.is_full(); ++count) attacker.send(ping_call(), true);
    }
  });
}

}  // namespace
}  // namespace p2pd::test
