// SPDX-License-Identifier: LGPL-2.1-or-later
//
// polkit's agent for terminals, as systemctl starts it: asks for the password when an action needs one. Stopped when the
// owner goes.
#pragma once

#include <sys/types.h>

namespace p2pclient::cli {

class PasswordAgent {
 public:
  // Starts `pkttyagent` and waits until it has registered. Without a terminal, as root, or without polkit nothing is
  // started: then p2pd's refusal says the rest.
  PasswordAgent();
  PasswordAgent(const PasswordAgent&) = delete;
  PasswordAgent& operator=(const PasswordAgent&) = delete;
  ~PasswordAgent();

 private:
  pid_t pid_ = -1;
};

}  // namespace p2pclient::cli
