// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/calls.h"

#include <utility>

#include "bus/guard.h"

namespace p2pd {

void Calls::send(sd_bus_message* call, std::chrono::microseconds timeout, Done done) {
  const auto id = next_id_++;
  auto& open = open_[id];
  open.calls = this;
  open.id = id;
  open.done = std::move(done);
  sd_bus_slot* slot = nullptr;
  const int result = sd_bus_call_async(bus_, &slot, call, &Calls::on_reply, &open, static_cast<std::uint64_t>(timeout.count()));
  if (result < 0) open_.erase(id);
  must(result, "sd_bus_call_async");
  open.slot.reset(slot);
}

void Calls::send_and_forget(sd_bus_message* call) {
  must(sd_bus_message_set_expect_reply(call, 0), "sd_bus_message_set_expect_reply");
  must(sd_bus_send(bus_, call, nullptr), "sd_bus_send");
}

int Calls::on_reply(sd_bus_message* reply, void* userdata, sd_bus_error* /*error*/) {
  guard_callback("reply to a call of p2pd", [&] {
    auto& open = *static_cast<Open*>(userdata);
    // Out of the table first: `done` may send the next call.
    const auto done = std::move(open.done);
    open.calls->open_.erase(open.id);
    done(reply);
  });
  return 1;
}

}  // namespace p2pd
