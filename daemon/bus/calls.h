// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Asynchronous calls of p2pd to others (the bus itself, polkit). The loop never waits for an answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>

#include "bus/raw.h"

namespace p2pd {

class Calls {
 public:
  explicit Calls(sd_bus* bus) : bus_(bus) {}
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;
  // Calls that are open are forgotten: their `done` never runs.
  ~Calls() = default;

  [[nodiscard]] sd_bus* bus() const { return bus_; }

  // `done` gets the reply or the error (a timeout and a callee that died are errors too), once, never from inside send().
  using Done = std::function<void(sd_bus_message* reply)>;
  void send(sd_bus_message* call, std::chrono::microseconds timeout, Done done);

  // For calls whose answer does not matter.
  void send_and_forget(sd_bus_message* call);

 private:
  struct Open {
    Calls* calls = nullptr;
    std::uint64_t id = 0;
    Done done;
    SlotRef slot;
  };
  static int on_reply(sd_bus_message* reply, void* userdata, sd_bus_error* error);

  sd_bus* bus_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Open> open_;
};

}  // namespace p2pd
