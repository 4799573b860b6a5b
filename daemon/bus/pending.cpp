// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/pending.h"

#include <spdlog/spdlog.h>

#include <cstring>
#include <map>
#include <string>
#include <variant>

#include "bus/guard.h"
#include "bus/service.h"
#include "bus/wire.h"

namespace p2pd {

namespace {

struct Writer {
  sd_bus_message* reply;

  void operator()(std::monostate) const {}
  void operator()(const HoldingGranted& granted) const {
    put(reply, ObjectPath{path_of(GrantId{granted.holding})});
    must(sd_bus_message_append(reply, "a{sv}", 1, "backend", "s", granted.backend.c_str()), "append backend");
  }
  void operator()(const MemoryMapped& mapped) const {
    put(reply, ObjectPath{path_of(GrantId{mapped.mapping})});
    put(reply, mapped.iova.value);
  }
  void operator()(const Exported& exported) const { put(reply, ObjectPath{path_of(GrantId{exported.mapping})}); }
  void operator()(const PeerMapped& mapped) const {
    put(reply, ObjectPath{path_of(GrantId{mapped.mapping})});
    put(reply, mapped.cookie.value);
    put(reply, mapped.length.value);
  }
};

}  // namespace

Pending::~Pending() {
  if (call_) refuse({ErrorCode::failed, "p2pd gave this request up"});
}

void Pending::answer(const Outcome<ReplyValue>& outcome) noexcept {
  if (!call_) return;
  if (!outcome) return refuse(outcome.error());
  answer([&](sd_bus_message* reply) { std::visit(Writer{reply}, *outcome); });
}

void Pending::answer(const std::function<void(sd_bus_message* reply)>& write) noexcept {
  if (!call_) return;
  try {
    sd_bus_message* made = nullptr;
    must(sd_bus_message_new_method_return(call_.get(), &made), "sd_bus_message_new_method_return");
    const MessageRef reply{made};
    write(reply.get());
    const auto call = std::move(call_);
    must(sd_bus_send(sd_bus_message_get_bus(reply.get()), reply.get(), nullptr), "sd_bus_send");
  } catch (...) {
    // Empty when the send itself failed: then there is nobody to tell.
    refuse(reason_of_exception("reply"));
  }
}

void Pending::refuse(const Reason& reason) noexcept {
  if (!call_) return;
  guard_callback("error reply", [&] {
    const auto call = std::move(call_);
    const auto text = error_text(reason);
    const sd_bus_error error{error_name(reason.code), text.c_str(), 0};
    must(sd_bus_reply_method_error(call.get(), &error), "sd_bus_reply_method_error");
  });
}

}  // namespace p2pd
