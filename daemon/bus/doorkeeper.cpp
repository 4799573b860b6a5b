// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/doorkeeper.h"

#include <algorithm>
#include <ctime>
#include <string_view>
#include <utility>

#include "bus/guard.h"
#include "bus/options.h"

namespace p2pd {

namespace {

constexpr std::size_t most_accounts = 1024;
constexpr std::uint64_t bytes_per_object = 2048;  // measured: 1.9 KiB for an endpoint with six BARs
// dbus-daemon throws off the bus who sends more than 32 MiB in one message.
constexpr std::uint64_t largest_reply = std::uint64_t{30} << 20;

ReplyBudget::Time now() {
  timespec time{};
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return std::chrono::duration_cast<ReplyBudget::Time>(std::chrono::seconds{time.tv_sec} +
                                                       std::chrono::nanoseconds{time.tv_nsec});
}

// Leaves the message where it ends; the caller rewinds.
bool has_too_many_options(sd_bus_message* message) {
  char type = 0;
  const char* contents = nullptr;
  while (must(sd_bus_message_peek_type(message, &type, &contents), "peek argument") > 0) {
    if (type != 'a' || std::string_view{contents} != "{sv}") {
      must(sd_bus_message_skip(message, nullptr), "skip argument");
      continue;
    }
    must(sd_bus_message_enter_container(message, 'a', "{sv}"), "enter options");
    unsigned count = 0;
    while (must(sd_bus_message_at_end(message, 0), "end of options") == 0) {
      if (++count > most_options) return true;
      must(sd_bus_message_skip(message, "{sv}"), "skip option");
    }
    must(sd_bus_message_exit_container(message), "exit options");
  }
  return false;
}

int turn_away(sd_bus_message* call, ErrorCode code, const char* text) {
  const sd_bus_error error{error_name(code), text, 0};
  must(sd_bus_reply_method_error(call, &error), "sd_bus_reply_method_error");
  return 1;  // taken: nobody else sees it
}

}  // namespace

bool ReplyBudget::spend(const std::string& sender, std::uint64_t bytes, Time now) {
  const auto refilled = [&](const Account& account) {
    const auto passed = static_cast<std::uint64_t>((now - account.at).count());
    // A minute fills it in any case; more would overflow the product.
    if (passed > 60'000'000) return burst;
    return std::min(burst, account.left + passed * rate / 1'000'000);
  };
  if (accounts_.size() >= most_accounts)
    std::erase_if(accounts_, [&](const auto& entry) { return refilled(entry.second) == burst; });
  // More senders than this with open accounts at once: all start anew rather than take memory without end.
  if (accounts_.size() >= most_accounts) accounts_.clear();
  auto& account = accounts_.try_emplace(sender, Account{burst, now}).first->second;
  account.left = refilled(account);
  account.at = now;
  // A full account pays for any reply: who asks once gets it.
  if (account.left < burst && account.left < bytes) return false;
  account.left -= std::min(account.left, bytes);
  return true;
}

Doorkeeper::Doorkeeper(sd_bus* bus, std::function<std::uint64_t()> objects) : objects_(std::move(objects)) {
  sd_bus_slot* slot = nullptr;
  must(sd_bus_add_filter(bus, &slot, &Doorkeeper::on_message, this), "sd_bus_add_filter");
  filter_.reset(slot);
}

int Doorkeeper::look_at(sd_bus_message* message) {
  std::uint8_t type = 0;
  must(sd_bus_message_get_type(message, &type), "sd_bus_message_get_type");
  if (type != SD_BUS_MESSAGE_METHOD_CALL) return 0;
  const bool too_many = has_too_many_options(message);
  must(sd_bus_message_rewind(message, 1), "sd_bus_message_rewind");
  if (too_many) return turn_away(message, ErrorCode::invalid_argument, "no method takes that many options");
  const char* member = sd_bus_message_get_member(message);
  const char* sender = sd_bus_message_get_sender(message);
  if (member == nullptr || sender == nullptr || std::string_view{member} != "GetManagedObjects") return 0;
  const auto bytes = objects_() * bytes_per_object;
  if (bytes > largest_reply)
    return turn_away(message, ErrorCode::failed, "there are too many objects for one message: introspect the paths and ask each");
  if (budget_.spend(sender, bytes, now())) return 0;
  return turn_away(message, ErrorCode::quota_exceeded,
                   "all objects were asked for too often: wait a few seconds, or follow the signals");
}

int Doorkeeper::on_message(sd_bus_message* message, void* userdata, sd_bus_error* error) {
  return guard_vtable("filter", error, [&] { return static_cast<Doorkeeper*>(userdata)->look_at(message); });
}

}  // namespace p2pd
