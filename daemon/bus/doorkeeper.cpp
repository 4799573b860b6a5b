// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/doorkeeper.h"

#include <sys/ioctl.h>

#include <chrono>
#include <ctime>
#include <string_view>
#include <utility>

#include "bus/authority_table.h"
#include "bus/fd_gate.h"
#include "bus/guard.h"
#include "bus/options.h"

namespace p2pd {

namespace {

// Measured: 1760 on a machine of endpoints, VFs and ports, 1950 for an endpoint with six BARs. As many functions as are ever
// listed (devices.h) fit into the largest reply.
constexpr std::int64_t bytes_per_object = 1900;
// dbus-daemon throws off the bus who sends more than 32 MiB in one message.
constexpr std::int64_t largest_reply = std::int64_t{30} << 20;

// Two seconds of work at once, then a quarter of the time. A refusal costs some 10 us itself: calls that cost little more
// than it are not counted.
constexpr std::int64_t work_at_once = 2'000'000;
constexpr std::int64_t work_per_second = 250'000;
constexpr std::int64_t small_work = 100;

// Calls that overlap are counted however small they are, with what is not seen of each here: reading it and sending the
// answer; and of a request, asking the bus and polkit who that is and what it may.
constexpr std::int64_t crowd_at_once = 50'000;
constexpr std::int64_t crowd_per_second = 10'000;
constexpr std::int64_t unseen_work = 20;
constexpr std::int64_t unseen_work_of_a_request = 200;

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

// The bus lets no call pass that names no interface: org.p2pd1.conf allows by interface.
bool is_request(sd_bus_message* call) {
  const char* interface = sd_bus_message_get_interface(call);
  const char* member = sd_bus_message_get_member(call);
  const auto* row = interface == nullptr || member == nullptr ? nullptr : find_row(interface, member);
  return row != nullptr && row->right != Right::everybody;
}

std::uint64_t bytes_waiting(sd_bus* bus) {
  int bytes = 0;
  if (::ioctl(must(sd_bus_get_fd(bus), "sd_bus_get_fd"), FIONREAD, &bytes) < 0) return 0;
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace

Doorkeeper::Doorkeeper(sd_bus* bus, std::function<std::uint64_t()> objects, std::function<bool(std::string_view)> is_waiting)
    : bus_(bus),
      objects_(std::move(objects)),
      is_waiting_(std::move(is_waiting)),
      reply_bytes_(std::int64_t{64} << 20, std::int64_t{16} << 20),
      loop_time_(work_at_once, work_per_second),
      crowd_time_(crowd_at_once, crowd_per_second),
      refusals_(sd_bus_get_event(bus)) {
  sd_event_source* source = nullptr;
  // Never due: it is there for what comes before each turn of the loop, and sd-bus handles one message in a turn.
  must(sd_event_add_time(sd_bus_get_event(bus), &source, CLOCK_MONOTONIC, UINT64_MAX, 0, nullptr, this), "sd_event_add_time");
  turns_.reset(source);
  must(sd_event_source_set_prepare(source, &Doorkeeper::on_next_turn), "sd_event_source_set_prepare");
  sd_bus_slot* slot = nullptr;
  must(sd_bus_add_filter(bus, &slot, &Doorkeeper::on_message, this), "sd_bus_add_filter");
  filter_.reset(slot);
}

// Before the answer leaves: who has it may have sent the next call a moment later.
void Doorkeeper::take_up(const std::string& sender) {
  const auto read = FdGate::bytes_received();
  overlap_.taken_up(sender, read, read + bytes_waiting(bus_));
}

void Doorkeeper::charge() {
  if (sender_.empty()) return;
  const auto work = (read(CLOCK_THREAD_CPUTIME_ID) - begin_).count();
  if (work > small_work) loop_time_.charge(sender_, work, now());
  if (overlaps_) crowd_time_.charge(sender_, work + (is_request_ ? unseen_work_of_a_request : unseen_work), now());
  sender_.clear();
}

int Doorkeeper::on_next_turn(sd_event_source* /*source*/, void* userdata) {
  guard_callback("account of a client", [&] {
    auto& self = *static_cast<Doorkeeper*>(userdata);
    self.charge();
    self.turn_begin_ = FdGate::bytes_received();
  });
  return 0;
}

int Doorkeeper::turn_away(sd_bus_message* call, ErrorCode code, const char* text) {
  const std::string sender = sd_bus_message_get_sender(call);
  refusals_.refuse(call, sender, {error_name(code), text, 0});
  return 1;  // taken: nobody else sees it
}

int Doorkeeper::look_at(sd_bus_message* message) {
  std::uint8_t type = 0;
  must(sd_bus_message_get_type(message, &type), "sd_bus_message_get_type");
  const char* sender = sd_bus_message_get_sender(message);
  if (type != SD_BUS_MESSAGE_METHOD_CALL || sender == nullptr) return 0;
  if (loop_time_.owes(sender, now()))
    return turn_away(message, ErrorCode::quota_exceeded,
                     "this connection has asked for more work than its share: wait a few seconds, and ask for less");
  is_request_ = is_request(message);
  overlaps_ = refusals_.holds_one_of(sender) || overlap_.is_seen(sender, turn_begin_) || (is_request_ && is_waiting_(sender));
  take_up(sender);
  if (overlaps_ && crowd_time_.owes(sender, now()))
    return turn_away(message, ErrorCode::quota_exceeded,
                     "this connection has asked for too much at once: wait for answers before you ask on");
  sender_ = sender;
  begin_ = read(CLOCK_THREAD_CPUTIME_ID);
  const bool too_many = has_too_many_options(message);
  must(sd_bus_message_rewind(message, 1), "sd_bus_message_rewind");
  if (too_many) return turn_away(message, ErrorCode::invalid_argument, "no method takes that many options");
  const char* member = sd_bus_message_get_member(message);
  if (member == nullptr || std::string_view{member} != "GetManagedObjects") return 0;
  const auto bytes = static_cast<std::int64_t>(objects_()) * bytes_per_object;
  if (bytes > largest_reply)
    return turn_away(message, ErrorCode::failed, "there are too many objects for one message: introspect the paths and ask each");
  if (reply_bytes_.spend(sender, bytes, now())) return 0;
  return turn_away(message, ErrorCode::quota_exceeded,
                   "all objects were asked for too often: wait a few seconds, or follow the signals");
}

int Doorkeeper::on_message(sd_bus_message* message, void* userdata, sd_bus_error* error) {
  return guard_vtable("filter", error, [&] { return static_cast<Doorkeeper*>(userdata)->look_at(message); });
}

}  // namespace p2pd
