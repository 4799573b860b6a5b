// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Somebody on the bus who does one thing over and over, as fast as the bus takes it, from a thread of its own.
#pragma once

#include <systemd/sd-bus.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "harness/client.h"

namespace p2pd::test {

class Attacker {
 public:
  // A few milliseconds' worth of it.
  using Deed = std::function<void(Attacker&)>;
  // Sends to the owner of the name `whom`. Rests at first.
  Attacker(const PrivateBus& bus, uid_t uid, std::string whom, Deed deed);
  Attacker(const Attacker&) = delete;
  Attacker& operator=(const Attacker&) = delete;
  // Whatever it is waiting for.
  ~Attacker();

  void go();
  // Returns when the deed that is being done has come to its end and the bus has all of it. Throws what a deed threw.
  void rest();
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  // What it read: how often which error, "" for none.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& answers() const { return answers_; }

  // ---- for deeds
  enum class Reply : bool { unwanted, wanted };
  void send(const Client::Call& call, Reply reply);
  void send_signal(const Client::Call& call);
  // Calls without an answer so far, as far as it has read.
  [[nodiscard]] std::uint64_t in_flight() const { return awaited_; }
  // Takes what has come; waits a moment for something if nothing has.
  void read();

 private:
  void run();
  void send(sd_bus_message* message);
  void wait_until_the_bus_has_read_all() const;

  sd_bus* bus_;
  int socket_;
  const std::string whom_;
  const Deed deed_;
  std::atomic<std::uint64_t> sent_ = 0;
  std::uint64_t awaited_ = 0;
  std::map<std::string, std::uint64_t> answers_;

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  enum class State : std::uint8_t { rests, works, is_to_rest, leaves } state_ = State::rests;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace p2pd::test
