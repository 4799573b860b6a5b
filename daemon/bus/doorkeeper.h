// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Turns away, before anything is made of them, messages that cost p2pd much more than they cost their sender: options by
// the million (each becomes an object of 1 KiB and more in sdbus-c++), large replies over and over, and calls of whoever has
// used up its share of the loop's time. Shares are users', because a user may have 256 connections, and new ones at any time;
// root's connections have one each, because they are many programs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "bus/budget.h"
#include "bus/calls.h"
#include "bus/raw.h"

namespace p2pd {

class Doorkeeper {
 public:
  // `calls` must live longer. `objects`: how many a GetManagedObjects would show now.
  Doorkeeper(Calls& calls, std::function<std::uint64_t()> objects);
  Doorkeeper(const Doorkeeper&) = delete;
  Doorkeeper& operator=(const Doorkeeper&) = delete;
  ~Doorkeeper() = default;

 private:
  // Who was worked for. The bus is asked which user that is once the work is more than a little.
  struct Sender {
    std::optional<uid_t> uid;
    bool is_asked_for = false;
    std::int64_t before_uid = 0;  // work, in microseconds
    unsigned refusals = 0;        // one after the other
  };
  [[nodiscard]] int look_at(sd_bus_message* message);
  [[nodiscard]] bool owes(const std::string& sender, const std::string& member);
  [[nodiscard]] std::string account_of(const std::string& sender) const;
  [[nodiscard]] bool is_stranger(const std::string& sender) const;
  [[nodiscard]] bool has_all(const std::string& account) const;
  // With an answer, or without one for who does not listen.
  [[nodiscard]] int refuse_share(sd_bus_message* message, const char* text);
  void remember(const std::string& sender);
  void find_user(const std::string& sender);
  void on_user(const std::string& sender, sd_bus_message* reply);
  void charge();
  static int on_message(sd_bus_message* message, void* userdata, sd_bus_error* error);
  static int on_next_turn(sd_event_source* source, void* userdata);

  Calls& calls_;
  std::function<std::uint64_t()> objects_;
  std::map<std::string, Sender> senders_;
  Budget reply_bytes_;
  Budget loop_time_;  // microseconds
  // Whose call was let in during this turn of the loop, and what its thread had worked before that.
  std::string sender_;
  Budget::Time begin_{0};
  SourceRef turns_;
  SlotRef filter_;
};

}  // namespace p2pd
