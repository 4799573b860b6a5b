// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The eventfd by which the kernel asks for a function back, on the event loop. Loop's thread only.
#pragma once

#include <functional>

#include "effects/event_source.h"
#include "model/unique_fd.h"

namespace p2pd {

class WantedWatch {
 public:
  // Throws when the loop cannot watch it. `on_wanted` is called from the loop, each time that the kernel asks.
  WantedWatch(sd_event* loop, UniqueFd eventfd, std::function<void()> on_wanted);
  WantedWatch(const WantedWatch&) = delete;
  WantedWatch& operator=(const WantedWatch&) = delete;
  ~WantedWatch() = default;

 private:
  UniqueFd eventfd_;
  std::function<void()> on_wanted_;
  EventSource source_;
};

}  // namespace p2pd
