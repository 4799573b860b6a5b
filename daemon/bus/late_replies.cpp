// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/late_replies.h"

#include <utility>

#include "bus/guard.h"

namespace p2pd {

LateReplies::LateReplies(sd_event* loop) {
  sd_event_source* source = nullptr;
  must(sd_event_add_time(loop, &source, CLOCK_MONOTONIC, 0, 0, &LateReplies::on_time, this), "sd_event_add_time");
  timer_.reset(source);
  must(sd_event_source_set_enabled(source, SD_EVENT_OFF), "sd_event_source_set_enabled");
}

LateReplies::~LateReplies() { send_all(); }

void LateReplies::refuse(sd_bus_message* call, const std::string& sender, const sd_bus_error& error) {
  if (must(sd_bus_message_get_expect_reply(call), "sd_bus_message_get_expect_reply") == 0) return;
  sd_bus_message* made = nullptr;
  must(sd_bus_message_new_method_error(call, &made, &error), "sd_bus_message_new_method_error");
  MessageRef reply{made};
  auto& replies = replies_[sender];
  if (replies.size() >= most_of_one_sender || count_ >= most_in_all) {
    must(sd_bus_send(nullptr, reply.get(), nullptr), "sd_bus_send");
    return;
  }
  if (count_ == 0) {
    const auto usec = static_cast<std::uint64_t>(std::chrono::microseconds{delay}.count());
    must(sd_event_source_set_time_relative(timer_.get(), usec), "sd_event_source_set_time_relative");
    must(sd_event_source_set_enabled(timer_.get(), SD_EVENT_ONESHOT), "sd_event_source_set_enabled");
  }
  replies.push_back(std::move(reply));
  ++count_;
}

void LateReplies::send_all() {
  for (const auto& [sender, replies] : std::exchange(replies_, {}))
    for (const auto& reply : replies)
      guard_callback("late refusal", [&] { must(sd_bus_send(nullptr, reply.get(), nullptr), "sd_bus_send"); });
  count_ = 0;
}

int LateReplies::on_time(sd_event_source* /*source*/, std::uint64_t /*usec*/, void* userdata) {
  static_cast<LateReplies*>(userdata)->send_all();
  return 0;
}

}  // namespace p2pd
