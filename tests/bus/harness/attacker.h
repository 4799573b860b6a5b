// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A connection that sends what it likes, as fast as it likes, and reads only when told to. One thread at a time.
#pragma once

#include <systemd/sd-bus.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/client.h"
#include "harness/private_bus.h"

namespace p2pd::test {

class Attacker {
 public:
  Attacker(const PrivateBus& bus, uid_t uid);
  Attacker(const Attacker&) = delete;
  Attacker& operator=(const Attacker&) = delete;
  Attacker(Attacker&&) = default;
  Attacker& operator=(Attacker&&) = default;
  // Leaves the bus without a word.
  ~Attacker() = default;

  // Asks the bus for every signal of p2pd.
  void listen();
  // A call that waits for an answer, or (is_deaf) says that it wants none.
  void send(const Client::Call& call, bool is_deaf = false);
  void send_signal(const Client::Call& signal);
  // As many fds as the bus lets pass in one message, in a call that no object takes.
  void send_fds(const std::vector<int>& fds);

  // Takes what has come off the socket, unread. How many messages that were.
  std::size_t discard();
  // Sent and not answered yet, as far as discard() knows.
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  // The bus takes no more from us now.
  [[nodiscard]] bool is_full() const;
  [[nodiscard]] std::string name() const;

 private:
  struct Close {
    void operator()(sd_bus* bus) const {
      sd_bus_close(bus);
      sd_bus_unref(bus);
    }
  };
  [[nodiscard]] std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)> make(const Client::Call& call) const;

  std::unique_ptr<sd_bus, Close> bus_;
  std::size_t in_flight_ = 0;
  // Where the next message begins: bytes of this one that are still to come, and what there is of its header.
  std::size_t rest_ = 0;
  std::vector<std::uint8_t> header_;
};

}  // namespace p2pd::test
