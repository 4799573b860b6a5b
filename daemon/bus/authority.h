// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Asks polkit, asynchronously. A polkit that hangs, dies or is not there delays only the client that asked, and ends in
// NotPermitted, which names the action and what would grant it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "arbiter/command.h"
#include "bus/calls.h"
#include "model/reason.h"

namespace p2pd {

// What polkit rules and dialogs may look at: initiator, target, verdict.
using Details = std::map<std::string, std::string>;

class Authority {
 public:
  static constexpr unsigned open_questions_per_uid = 4;

  explicit Authority(Calls& calls) : calls_(calls) {}
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;
  ~Authority() = default;

  // Asks for one action after the other until one is refused. `done` runs once, in the end; also when the caller leaves.
  // Of one uid only a few questions are open at a time, the others wait: the bus lets p2pd have 128 unanswered calls, and a
  // user whose authentication agent never answers must not use up those of others.
  using Done = std::function<void(Outcome<void>)>;
  void ask(const Caller& caller, std::vector<Action> actions, Details details, Done done);

 private:
  struct Question {
    std::string sender;
    uid_t uid = 0;
    bool may_interact = false;
    bool is_sent = false;
    std::vector<Action> actions;  // the first one is asked now
    Details details;
    Done done;
  };
  void send(std::uint64_t id);
  void send_next_of(uid_t uid);
  void on_answer(std::uint64_t id, sd_bus_message* reply);
  void finish(std::uint64_t id, Outcome<void> outcome);
  void watch_names();
  void on_name_gone(const std::string& name);
  void cancel(std::uint64_t id);
  static int on_name_owner_changed(sd_bus_message* signal, void* userdata, sd_bus_error* error);

  Calls& calls_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Question> questions_;
  SlotRef name_watch_;  // only while a question is open: nobody else's coming and going wakes us
};

}  // namespace p2pd
