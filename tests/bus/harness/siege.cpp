// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/siege.h"

#include <atomic>
#include <exception>
#include <iostream>
#include <sstream>
#include <thread>

namespace p2pd::test {

namespace {

class Thread {
 public:
  explicit Thread(Siege::Step step) : thread_([this, step = std::move(step)]() mutable { run(std::move(step)); }) {}
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() { stop(); }

  void stop() {
    leaves_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // What it did not expect.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::size_t steps() const { return steps_; }

 private:
  void run(Siege::Step step) {
    try {
      for (; !leaves_; ++steps_) step();
    } catch (const std::exception& error) {
      failure_ = error.what();
    }
  }

  std::atomic<bool> leaves_ = false;
  std::atomic<std::size_t> steps_ = 0;
  std::string failure_;
  std::thread thread_;
};

template <class Figure>
std::string text_of(const Figure& figure) {
  std::ostringstream text;
  text << figure;
  return text.str();
}

}  // namespace

Client::Call manager_call(const char* method, Arguments arguments) {
  return {.path = "/org/p2pd1", .method = std::string("org.p2pd1.Manager.") + method, .arguments = std::move(arguments)};
}
Client::Call properties_call(const std::string& path, const std::string& interface) {
  return {.path = path, .method = "org.freedesktop.DBus.Properties.GetAll", .arguments = {interface}};
}
Client::Call ping_call() { return {.path = "/org/p2pd1", .method = "org.freedesktop.DBus.Peer.Ping", .arguments = {}}; }

Siege::Siege() : idle_(bus), innocent_(bus, bob_uid) {
  set_up_the_usual_pair();
  use_the_usual_pair_once();
}

std::vector<Attacker> Siege::attackers(std::size_t count, uid_t uid) {
  std::vector<Attacker> made;
  for (std::size_t number = 0; number < count; ++number) made.emplace_back(bus, uid);
  return made;
}

std::size_t Siege::memory() const {
  std::istringstream status(read_file("/proc/" + std::to_string(daemon->process().pid()) + "/status"));
  for (std::string word; status >> word;)
    if (word == "VmRSS:") {
      std::size_t size = 0;
      status >> size;
      return size;
    }
  throw std::runtime_error("p2pd has no VmRSS");
}

// Bob's: alice may have to wait until she has a share again.
void Siege::expect_that_work_goes_on() {
  const auto held = acquire(bob, initiator);
  EXPECT_EQ(bob.map(held.path, target_bar).error, "");
  EXPECT_EQ(bob.release(held.path).error, "");
}

void Siege::withstand(Step attack) {
  const auto before = traces();
  const auto memory_before = memory();
  constexpr std::chrono::milliseconds a_while{300};
  constexpr std::chrono::milliseconds until_its_share_is_used_up{2000};
  constexpr std::chrono::milliseconds long_enough{1500};
  const auto quiet = innocent_.measure(a_while);
  std::optional<Thread> thread(std::in_place, std::move(attack));
  Latencies attacked;
  try {
    (void)innocent_.measure(until_its_share_is_used_up);
    attacked = innocent_.measure(long_enough);
  } catch (const std::exception& error) {
    ADD_FAILURE() << "the innocent client is not served: " << error.what();
  }
  thread->stop();
  EXPECT_EQ(thread->failure(), "") << "the attack itself failed";
  const auto steps = thread->steps();
  thread.reset();

  expect_no_trace_since(before);
  expect_that_work_goes_on();
  EXPECT_TRUE(daemon->is_alive());
  const auto memory_after = memory();
  std::cout << "quiet:    " << quiet << "\nattacked: " << attacked << "\nsteps of the attack: " << steps
            << "; memory of p2pd: " << memory_before << " KiB before, " << memory_after << " KiB after\n";
  RecordProperty("quiet", text_of(quiet));
  RecordProperty("attacked", text_of(attacked));
  RecordProperty("memory_growth_kib", text_of(static_cast<long>(memory_after) - static_cast<long>(memory_before)));
  EXPECT_LE(attacked.ratio(), most_slower);
  EXPECT_LE(memory_after, memory_before + most_memory_kept);
}

}  // namespace p2pd::test
