// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hostile_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <sstream>
#include <thread>

namespace p2pd::test {

namespace {

using Clock = std::chrono::steady_clock;
using Attackers = std::vector<std::unique_ptr<Attacker>>;

constexpr const char* p2pd = "org.p2pd1";
constexpr double most_times_slower = 3;
constexpr std::ptrdiff_t most_growth_kib = 16 << 10;

double microseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

double at(std::vector<double> times, double part) {
  std::sort(times.begin(), times.end());
  return times.at(static_cast<std::size_t>(static_cast<double>(times.size() - 1) * part));
}

Attackers gather(const Attack& attack, const PrivateBus& bus, const char* whom, const Attacker::Deed& deed) {
  Attackers attackers;
  while (attackers.size() < attack.attackers) attackers.push_back(std::make_unique<Attacker>(bus, alice_uid, whom, deed));
  return attackers;
}

std::uint64_t sent_by(const Attackers& attackers) {
  return std::accumulate(attackers.begin(), attackers.end(), std::uint64_t{0},
                         [](auto sum, const auto& attacker) { return sum + attacker->sent(); });
}

}  // namespace

double HostileClient::ping_time(const char* whom) {
  const auto begin = Clock::now();
  bob.ping(whom);
  return microseconds_since(begin);
}

void HostileClient::SetUp() {
  set_up_the_usual_pair();
  (void)root.offer(other_initiator).granted();
  (void)acquire(bob, other_initiator);
  held = acquire(alice, initiator);
  // The fake VFIO keeps some descriptors of each BAR that it has mapped once.
  (void)alice.release(alice.map(held.path, target_bar).granted()[0].text()).granted();
  before_ = traces();
  resident_before_ = resident_kib();
}

void HostileClient::TearDown() {
  if (fuse) fuse->let_go();
  peers.clear();
  expect_that_bob_is_served();
  expect_no_trace_since(before_);
  const auto grown = static_cast<std::ptrdiff_t>(resident_kib()) - static_cast<std::ptrdiff_t>(resident_before_);
  if (counts_figures()) {
    EXPECT_LE(grown, most_growth_kib) << "KiB";
  }
  Scene::TearDown();
}

void HostileClient::expect_that_bob_is_served() {
  EXPECT_EQ(bob.check(initiator, target_bar).error, "");
  const auto own = acquire(bob, other_initiator);
  EXPECT_EQ(bob.release(own.path).error, "");
}

std::size_t HostileClient::resident_kib() const {
  std::istringstream status(read_file("/proc/" + std::to_string(daemon->process().pid()) + "/status"));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  throw std::runtime_error("no VmRSS");
}

bool HostileClient::counts_figures() { return !DaemonProcess::is_another_build(); }

TEST_P(HostileAttack, HurtsNobodyElse) {
  constexpr std::chrono::milliseconds window{150};
  constexpr int fewest_windows = 3;
  constexpr int most_windows = 12;  // when others use this machine too
  const auto deed = GetParam().prepare(*this);
  std::vector<double> quiet;
  std::vector<std::vector<double>> attacked;
  const auto measure = [&] {
    std::vector<double> times;
    const auto end = Clock::now() + window;
    while (Clock::now() < end) times.push_back(ping_time(p2pd));
    return times;
  };
  const auto best_median = [&] {
    double best = at(attacked.front(), 0.5);
    for (const auto& times : attacked) best = std::min(best, at(times, 0.5));
    return best;
  };
  std::string answers;
  {
    const auto attackers = gather(GetParam(), bus, p2pd, deed);
    const auto is_enough = [&](int count) {
      return count >= fewest_windows && best_median() <= most_times_slower * at(quiet, 0);
    };
    for (int count = 0; count < most_windows && !is_enough(count); ++count) {
      quiet.push_back(at(measure(), 0.5));
      for (const auto& attacker : attackers) attacker->go();
      if (count == 0) std::this_thread::sleep_for(GetParam().run_up);
      attacked.push_back(measure());
      for (const auto& attacker : attackers) attacker->rest();
      bob.ping();
    }
    answers = fmt::format("{} sent", sent_by(attackers));
    for (const auto& [error, count] : attackers.front()->answers())
      answers += fmt::format(", {} {}", count, error.empty() ? "granted" : error.substr(error.rfind('.') + 1));
    EXPECT_GT(sent_by(attackers), 0);
  }
  std::sort(attacked.begin(), attacked.end(), [](const auto& a, const auto& b) { return at(a, 0.5) < at(b, 0.5); });
  const auto& best = attacked.front();
  const auto ratio = at(best, 0.5) / at(quiet, 0);
  std::cout << fmt::format("{}: Ping {:.0f} us, attacked {:.0f} us, {:.1f} x (p99 {:.0f} us; worst window {:.0f} us); {}\n",
                           GetParam().name, at(quiet, 0), at(best, 0.5), ratio, at(best, 0.99), at(attacked.back(), 0.5),
                           answers);
  if (counts_figures()) {
    EXPECT_LE(ratio, most_times_slower);
  }
}

TEST_P(HostileFlood, IsWorkedOffAsFastAsTheBusBringsIt) {
  constexpr std::uint64_t a_thousand = 1000;
  constexpr int fewest_rounds = 4;
  constexpr int most_rounds = 20;  // when others use this machine too
  const auto deed = GetParam().prepare(*this);
  const IdleService idle(bus);
  const auto at_idle = gather(GetParam(), bus, IdleService::name, deed);
  const auto at_p2pd = gather(GetParam(), bus, p2pd, deed);
  const auto measure = [&](Attacker& attacker, const char* whom) {
    const auto begin = Clock::now();
    const auto end = attacker.sent() + a_thousand;
    attacker.go();
    while (attacker.sent() < end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    attacker.rest();
    // Behind all of them.
    bob.ping(whom);
    return microseconds_since(begin) / static_cast<double>(attacker.sent() + a_thousand - end);
  };
  at_p2pd.front()->go();
  std::this_thread::sleep_for(GetParam().run_up);
  at_p2pd.front()->rest();
  bob.ping();
  std::vector<double> elsewhere;
  std::vector<double> here;
  const auto is_enough = [&](int round) { return round >= fewest_rounds && at(here, 0) <= most_times_slower * at(elsewhere, 0); };
  for (int round = 0; round < most_rounds && !is_enough(round); ++round) {
    elsewhere.push_back(measure(*at_idle.front(), IdleService::name));
    here.push_back(measure(*at_p2pd.front(), p2pd));
  }
  const auto ratio = at(here, 0) / at(elsewhere, 0);
  std::cout << fmt::format("{}: a message {:.1f} us, to a service that does nothing {:.1f} us: {:.1f} x\n", GetParam().name,
                           at(here, 0), at(elsewhere, 0), ratio);
  if (counts_figures()) {
    EXPECT_LE(ratio, most_times_slower);
  }
}

}  // namespace p2pd::test
