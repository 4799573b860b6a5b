// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Turns away, before anything is made of them, messages that cost p2pd much more than they cost their sender: options by
// the million (each becomes an object of 1 KiB and more in sdbus-c++), large replies over and over, and calls of whoever has
// used up its share of the loop's time, or lets many calls at once stand in front of everybody else's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "bus/budget.h"
#include "bus/late_replies.h"
#include "bus/overlap.h"
#include "bus/raw.h"
#include "model/reason.h"

namespace p2pd {

class Doorkeeper {
 public:
  // `objects`: how many a GetManagedObjects would show now. `is_waiting`: whether a request of this sender is not answered.
  Doorkeeper(sd_bus* bus, std::function<std::uint64_t()> objects, std::function<bool(std::string_view)> is_waiting);
  Doorkeeper(const Doorkeeper&) = delete;
  Doorkeeper& operator=(const Doorkeeper&) = delete;
  ~Doorkeeper() = default;

 private:
  [[nodiscard]] int look_at(sd_bus_message* message);
  [[nodiscard]] int turn_away(sd_bus_message* call, ErrorCode code, const char* text);
  void charge();
  void take_up(const std::string& sender);
  static int on_message(sd_bus_message* message, void* userdata, sd_bus_error* error);
  static int on_next_turn(sd_event_source* source, void* userdata);

  sd_bus* bus_;
  std::function<std::uint64_t()> objects_;
  std::function<bool(std::string_view)> is_waiting_;
  Budget reply_bytes_;
  Budget loop_time_;   // microseconds
  Budget crowd_time_;  // the same, of calls that overlap
  Overlap overlap_;
  LateReplies refusals_;
  std::uint64_t turn_begin_ = 0;  // position in what the bus sends us
  // Whose call was let in during this turn of the loop, and what its thread had worked before that.
  std::string sender_;
  bool overlaps_ = false;
  bool is_request_ = false;
  Budget::Time begin_{0};
  SourceRef turns_;
  SlotRef filter_;
};

}  // namespace p2pd
