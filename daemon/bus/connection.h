// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2pd's one connection, run by the sd-event loop of the daemon: one thread, no loop of sdbus-c++.
#pragma once

#include <memory>
#include <string>

#include "bus/compat.h"

namespace p2pd {

class Connection {
 public:
  // `bus`: "system", "session" or a D-Bus address. Throws when it cannot be reached. When the bus goes away later the
  // loop ends with a failure: without it nobody can reach us, and leases are taken back by the next start.
  Connection(sd_event* loop, const std::string& bus);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  // Sends what is queued, then lets go of the loop.
  ~Connection();

  [[nodiscard]] sdbus::IConnection& sdbus() { return *connection_; }
  [[nodiscard]] sd_bus* raw() { return raw_; }

  // After everything is registered. Throws with one clear sentence when somebody owns it or the policy forbids it.
  void take_name(const char* name);

 private:
  std::unique_ptr<sdbus::IConnection> connection_;
  sd_bus* raw_;
};

}  // namespace p2pd
