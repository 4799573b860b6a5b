// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Turns away, before anything is made of them, messages that cost p2pd much more than they cost their sender: options by
// the million (each becomes an object of 1 KiB and more in sdbus-c++), large replies over and over, and calls of whoever has
// used up its share of the loop's time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "bus/budget.h"
#include "bus/raw.h"

namespace p2pd {

class Doorkeeper {
 public:
  // `objects`: how many a GetManagedObjects would show now.
  Doorkeeper(sd_bus* bus, std::function<std::uint64_t()> objects);
  Doorkeeper(const Doorkeeper&) = delete;
  Doorkeeper& operator=(const Doorkeeper&) = delete;
  ~Doorkeeper() = default;

 private:
  [[nodiscard]] int look_at(sd_bus_message* message);
  void charge();
  static int on_message(sd_bus_message* message, void* userdata, sd_bus_error* error);
  static int on_next_turn(sd_event_source* source, void* userdata);

  std::function<std::uint64_t()> objects_;
  Budget reply_bytes_;
  Budget loop_time_;  // microseconds
  // Whose call was let in during this turn of the loop, and what its thread had worked before that.
  std::string sender_;
  Budget::Time begin_{0};
  SourceRef turns_;
  SlotRef filter_;
};

}  // namespace p2pd
