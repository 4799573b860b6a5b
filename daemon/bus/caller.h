// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who asks: from the bus, asked asynchronously. Nothing that decides is read from /proc, where a client can change it
// between two looks.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "arbiter/command.h"
#include "bus/calls.h"
#include "model/reason.h"
#include "model/unique_fd.h"

namespace p2pd {

// `done` runs later with the sender of `call`, or with Failed when the bus does not know it any more.
void identify(Calls& calls, sd_bus_message* call, std::function<void(Outcome<Caller>)> done);

// `done` runs later with the caller's pidfd. Empty when it is not certain that this process is the caller: it runs as another
// user, or its connection is gone, and somebody else may have got the pid.
void identify_process(Calls& calls, const Caller& caller, std::function<void(UniqueFd)> done);

// The euid of a message's sender, for property getters, which must answer at once: one short question to the bus itself
// for each new sender. Nothing when it cannot be told.
class SenderUids {
 public:
  [[nodiscard]] std::optional<uid_t> of(sd_bus_message* message);

 private:
  // Unique names are never given out twice, so what is in here stays true.
  std::map<std::string, uid_t> known_;
};

}  // namespace p2pd
