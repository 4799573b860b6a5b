// SPDX-License-Identifier: LGPL-2.1-or-later
//
// polkitd on the private bus, as the tests want it: says no to everybody but those who were allowed. Answers from a thread
// of its own, so that a test may wait for p2pd while p2pd waits for polkit.
#pragma once

#include <systemd/sd-bus.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness/private_bus.h"

namespace p2pd::test {

class FakePolkit {
 public:
  explicit FakePolkit(const PrivateBus& bus);
  FakePolkit(const FakePolkit&) = delete;
  FakePolkit& operator=(const FakePolkit&) = delete;
  ~FakePolkit();

  // `action` without the prefix `org.p2pd1.`
  void allow(const std::string& action, uid_t uid);
  void deny(const std::string& action, uid_t uid);
  // From now on questions stay without an answer, until answer_all().
  void hang();
  void answer_all();
  // Answers with something that is no answer of polkit's.
  void talk_nonsense();
  // Leaves the bus, with questions open or not.
  void die();
  void come_back();

  struct Question {
    std::string action;  // in full
    std::string sender;  // unique name of the subject
    uid_t uid = 0;
    std::map<std::string, std::string> details;
    std::uint32_t flags = 0;  // 1 = may interact with the user
    std::string cancellation_id;
  };
  [[nodiscard]] std::vector<Question> questions() const;
  // Throws when nothing was asked.
  [[nodiscard]] Question last_question() const;
  // Until the `count`th since the start was asked; the last of those.
  [[nodiscard]] Question wait_for_question(std::size_t count = 1) const;
  // Until this one was cancelled.
  void wait_for_cancel(const std::string& cancellation_id) const;

 private:
  void run();
  int on_check(sd_bus_message* call);
  int on_cancel(sd_bus_message* call);
  void answer(sd_bus_message* call, const Question& question);
  void connect();
  void disconnect();
  void wake() const;
  int on_message(sd_bus_message* message);

  const PrivateBus& where_;
  UniqueFd wakeup_;
  mutable std::mutex mutex_;  // guards all below, the connection too
  mutable std::condition_variable changed_;
  sd_bus* bus_ = nullptr;
  bool is_leaving_ = false;
  bool hangs_ = false;
  bool talks_nonsense_ = false;
  std::set<std::pair<std::string, uid_t>> allowed_;
  std::vector<Question> questions_;
  std::vector<std::pair<sd_bus_message*, Question>> open_;
  std::set<std::string> cancelled_;
  std::thread thread_;
};

}  // namespace p2pd::test
