// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Turns away, before anything is made of them, messages that cost p2pd much more than they cost their sender: options by
// the million (each becomes an object of 1 KiB and more in sdbus-c++), and large replies over and over.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "bus/raw.h"

namespace p2pd {

// How many bytes of large replies a sender may ask for: `burst` at once, `rate` per second afterwards.
class ReplyBudget {
 public:
  using Time = std::chrono::microseconds;
  static constexpr std::uint64_t burst = std::uint64_t{64} << 20;
  static constexpr std::uint64_t rate = std::uint64_t{16} << 20;

  // False: not now.
  [[nodiscard]] bool spend(const std::string& sender, std::uint64_t bytes, Time now);

 private:
  struct Account {
    std::uint64_t left = burst;
    Time at{0};
  };
  std::map<std::string, Account> accounts_;
};

class Doorkeeper {
 public:
  // `objects`: how many a GetManagedObjects would show now.
  Doorkeeper(sd_bus* bus, std::function<std::uint64_t()> objects);
  Doorkeeper(const Doorkeeper&) = delete;
  Doorkeeper& operator=(const Doorkeeper&) = delete;
  ~Doorkeeper() = default;

 private:
  [[nodiscard]] int look_at(sd_bus_message* message);
  static int on_message(sd_bus_message* message, void* userdata, sd_bus_error* error);

  std::function<std::uint64_t()> objects_;
  ReplyBudget budget_;
  SlotRef filter_;
};

}  // namespace p2pd
