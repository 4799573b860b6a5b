// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Refusals that leave a while later. Who floods p2pd has as many calls open as the bus lets it have, and no more are let
// through until these are answered: so it is the flood that waits. Nobody is left without an answer.
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "bus/raw.h"

namespace p2pd {

class LateReplies {
 public:
  static constexpr std::chrono::seconds delay{1};  // at most
  // dbus-daemon lets a connection have this many calls open (max_replies_per_connection); another bus may not count.
  static constexpr std::size_t most_of_one_sender = 128;
  static constexpr std::size_t most_in_all = 16384;

  explicit LateReplies(sd_event* loop);
  LateReplies(const LateReplies&) = delete;
  LateReplies& operator=(const LateReplies&) = delete;
  // Answers all.
  ~LateReplies();

  // Answers `call` with `error`; of the call itself, which may be large, nothing is kept.
  void refuse(sd_bus_message* call, const std::string& sender, const sd_bus_error& error);

 private:
  void send_all();
  static int on_time(sd_event_source* source, std::uint64_t usec, void* userdata);

  SourceRef timer_;
  std::map<std::string, std::vector<MessageRef>> replies_;
  std::size_t count_ = 0;
};

}  // namespace p2pd
