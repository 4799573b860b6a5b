// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An event loop that a test turns until something happened.
#pragma once

#include <gtest/gtest.h>
#include <systemd/sd-event.h>

#include <chrono>
#include <functional>

namespace p2pd {

class TestLoop {
 public:
  TestLoop() { EXPECT_GE(sd_event_new(&loop_), 0); }
  ~TestLoop() { sd_event_unref(loop_); }
  TestLoop(const TestLoop&) = delete;
  TestLoop& operator=(const TestLoop&) = delete;

  [[nodiscard]] sd_event* get() const { return loop_; }

  // False: it did not happen in ten seconds.
  bool turn_until(const std::function<bool()>& happened) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (!happened()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      EXPECT_GE(sd_event_run(loop_, 20'000), 0);
    }
    return true;
  }

  // Everything that is ready now, and what follows from it at once.
  void settle() {
    while (sd_event_run(loop_, 20'000) > 0) continue;
  }

 private:
  sd_event* loop_ = nullptr;
};

}  // namespace p2pd
