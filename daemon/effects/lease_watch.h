// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A lease on the event loop: says once when the last copy of the client's end is gone. Loop's thread only.
#pragma once

#include <functional>

#include "arbiter/command.h"
#include "effects/event_source.h"

namespace p2pd {

class LeaseWatch {
 public:
  // Throws when the loop cannot watch it. `on_ended` is called from the loop, never from here.
  LeaseWatch(sd_event* loop, Lease lease, std::function<void()> on_ended);
  LeaseWatch(const LeaseWatch&) = delete;
  LeaseWatch& operator=(const LeaseWatch&) = delete;
  // Ends the lease for every copy.
  ~LeaseWatch();

  [[nodiscard]] int socket() const { return lease_.socket.get(); }
  // The grant is going anyway: do not say that its lease ended.
  void be_quiet() { source_.reset(); }

 private:
  Lease lease_;
  std::function<void()> on_ended_;
  EventSource source_;
};

}  // namespace p2pd
