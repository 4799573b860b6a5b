// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/doorkeeper.h"

#include <chrono>
#include <ctime>
#include <string_view>
#include <utility>

#include "bus/guard.h"
#include "bus/options.h"

namespace p2pd {

namespace {

// Measured: 1760 on a machine of endpoints, VFs and ports, 1950 for an endpoint with six BARs. As many functions as are ever
// listed (devices.h) fit into the largest reply.
constexpr std::int64_t bytes_per_object = 1900;
// dbus-daemon throws off the bus who sends more than 32 MiB in one message.
constexpr std::int64_t largest_reply = std::int64_t{30} << 20;

// What waits to be read by the bus, or by who does not read, is in the way of everybody's answers.
constexpr std::int64_t reply_bytes_at_once = std::int64_t{4} << 20;
constexpr std::int64_t reply_bytes_per_second = std::int64_t{1} << 20;

// So much work at once, then a tenth of the time. A refusal costs some 10 us itself: calls that cost little more than it are
// not counted.
constexpr std::int64_t work_at_once = 300'000;
constexpr std::int64_t work_per_second = 100'000;
constexpr std::int64_t small_work = 50;
// Who goes on and on after that, until its accounts are full again, gets no answers any more while it owes. dbus-daemon lets no
// connection have more than 128 calls without an answer, and so keeps the rest of them away from us.
constexpr unsigned most_refusals = 64;

constexpr std::size_t most_senders = 4096;
constexpr const char* strangers = "strangers";
constexpr std::chrono::seconds answer_of_the_bus{25};

Budget::Time read(clockid_t clock) {
  timespec time{};
  (void)clock_gettime(clock, &time);
  return std::chrono::duration_cast<Budget::Time>(std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec});
}

Budget::Time now() { return read(CLOCK_MONOTONIC); }

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

// What a stranger has to wait for while strangers owe: somebody who comes with a new connection for every large question is
// a stranger each time. Not requests: these have limits of their own.
bool may_be_large(std::string_view member) {
  return member == "CheckAll" || member == "GetManagedObjects" || member == "GetAll" || member == "Introspect";
}

int turn_away(sd_bus_message* call, ErrorCode code, const char* text) {
  const sd_bus_error error{error_name(code), text, 0};
  must(sd_bus_reply_method_error(call, &error), "sd_bus_reply_method_error");
  return 1;  // taken: nobody else sees it
}

}  // namespace

Doorkeeper::Doorkeeper(Calls& calls, std::function<std::uint64_t()> objects)
    : calls_(calls),
      objects_(std::move(objects)),
      reply_bytes_(reply_bytes_at_once, reply_bytes_per_second),
      loop_time_(work_at_once, work_per_second) {
  sd_event_source* source = nullptr;
  // Never due: it is there for what comes before each turn of the loop, and sd-bus handles one message in a turn.
  must(sd_event_add_time(sd_bus_get_event(calls.bus()), &source, CLOCK_MONOTONIC, UINT64_MAX, 0, nullptr, this),
       "sd_event_add_time");
  turns_.reset(source);
  must(sd_event_source_set_prepare(source, &Doorkeeper::on_next_turn), "sd_event_source_set_prepare");
  sd_bus_slot* slot = nullptr;
  must(sd_bus_add_filter(calls.bus(), &slot, &Doorkeeper::on_message, this), "sd_bus_add_filter");
  filter_.reset(slot);
}

std::string Doorkeeper::account_of(const std::string& sender) const {
  const auto known = senders_.find(sender);
  const bool is_users = known != senders_.end() && known->second.uid && *known->second.uid != 0;
  return is_users ? "uid " + std::to_string(*known->second.uid) : sender;
}

bool Doorkeeper::is_stranger(const std::string& sender) const {
  const auto known = senders_.find(sender);
  return known == senders_.end() || !known->second.uid;
}

bool Doorkeeper::owes(const std::string& sender, const std::string& member) {
  if (loop_time_.owes(account_of(sender), now())) return member != "Release";  // who gives back what it has helps everybody
  if (!is_stranger(sender) || !may_be_large(member) || !loop_time_.owes(strangers, now())) return false;
  find_user(sender);
  return true;
}

bool Doorkeeper::has_all(const std::string& account) const {
  return loop_time_.is_full(account, now()) && reply_bytes_.is_full(account, now());
}

void Doorkeeper::charge() {
  if (sender_.empty()) return;
  const auto sender = std::exchange(sender_, {});
  const auto work = (read(CLOCK_THREAD_CPUTIME_ID) - begin_).count();
  if (work <= small_work) return;
  loop_time_.charge(account_of(sender), work, now());
  find_user(sender);
  auto& who = senders_[sender];
  if (who.uid) return;
  who.before_uid += work;
  loop_time_.charge(strangers, work, now());
}

// Whoever else is forgotten then has to be asked for anew.
void Doorkeeper::remember(const std::string& sender) {
  if (senders_.size() >= most_senders && !senders_.contains(sender)) senders_.clear();
  senders_.try_emplace(sender);
}

void Doorkeeper::find_user(const std::string& sender) {
  remember(sender);
  auto& who = senders_[sender];
  if (std::exchange(who.is_asked_for, true)) return;
  sd_bus_message* made = nullptr;
  must(sd_bus_message_new_method_call(calls_.bus(), &made, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                      "org.freedesktop.DBus", "GetConnectionUnixUser"),
       "new GetConnectionUnixUser");
  const MessageRef question{made};
  must(sd_bus_message_append(question.get(), "s", sender.c_str()), "append sender");
  calls_.send(question.get(), answer_of_the_bus, [this, sender](sd_bus_message* reply) { on_user(sender, reply); });
}

void Doorkeeper::on_user(const std::string& sender, sd_bus_message* reply) {
  const auto known = senders_.find(sender);
  if (known == senders_.end()) return;
  std::uint32_t uid = 0;
  // An error: it has gone, and what it has cost stays with the strangers.
  if (sd_bus_message_is_method_error(reply, nullptr) > 0 || sd_bus_message_read(reply, "u", &uid) < 0) {
    senders_.erase(known);
    return;
  }
  known->second.uid = uid;
  if (uid != 0) loop_time_.charge(account_of(sender), known->second.before_uid, now());
}

int Doorkeeper::on_next_turn(sd_event_source* /*source*/, void* userdata) {
  guard_callback("account of a client", [&] { static_cast<Doorkeeper*>(userdata)->charge(); });
  return 0;
}

int Doorkeeper::refuse_share(sd_bus_message* message, const char* text) {
  const std::string sender = sd_bus_message_get_sender(message);
  remember(sender);
  if (++senders_[sender].refusals > most_refusals) return 1;
  return turn_away(message, ErrorCode::quota_exceeded, text);
}

int Doorkeeper::look_at(sd_bus_message* message) {
  std::uint8_t type = 0;
  must(sd_bus_message_get_type(message, &type), "sd_bus_message_get_type");
  const char* sender = sd_bus_message_get_sender(message);
  if (type != SD_BUS_MESSAGE_METHOD_CALL || sender == nullptr) return 0;
  const char* const named = sd_bus_message_get_member(message);
  const std::string member = named == nullptr ? "" : named;
  if (owes(sender, member))
    return refuse_share(message, "this user has asked for more work than its share: wait a few seconds, and ask for less");
  if (const auto known = senders_.find(sender); known != senders_.end() && has_all(account_of(sender)))
    known->second.refusals = 0;
  sender_ = sender;
  begin_ = read(CLOCK_THREAD_CPUTIME_ID);
  const bool too_many = has_too_many_options(message);
  must(sd_bus_message_rewind(message, 1), "sd_bus_message_rewind");
  if (too_many) return turn_away(message, ErrorCode::invalid_argument, "no method takes that many options");
  if (member != "GetManagedObjects") return 0;
  const auto bytes = static_cast<std::int64_t>(objects_()) * bytes_per_object;
  if (bytes > largest_reply)
    return turn_away(message, ErrorCode::failed, "there are too many objects for one message: introspect the paths and ask each");
  // A user's connections may all be new, and say so at the same time.
  if (is_stranger(sender)) find_user(sender);
  if (reply_bytes_.spend(is_stranger(sender) ? strangers : account_of(sender), bytes, now())) return 0;
  return refuse_share(message, "all objects were asked for too often: wait a few seconds, or follow the signals");
}

int Doorkeeper::on_message(sd_bus_message* message, void* userdata, sd_bus_error* error) {
  return guard_vtable("filter", error, [&] { return static_cast<Doorkeeper*>(userdata)->look_at(message); });
}

}  // namespace p2pd
