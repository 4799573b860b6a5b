// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/lease_watch.h"

#include "effects/give_up.h"
#include "effects/lease.h"

namespace p2pd {

LeaseWatch::LeaseWatch(sd_event* loop, Lease lease, std::function<void()> on_ended)
    : lease_(std::move(lease)), on_ended_(std::move(on_ended)) {
  sd_event_source* source = nullptr;
  // No events asked for: EPOLLHUP comes unasked. EPOLLIN would be always there, since our reading is shut down.
  constexpr std::uint32_t hangup_only = 0;
  must_work(sd_event_add_io(
                loop, &source, lease_.socket.get(), hangup_only,
                [](sd_event_source*, int, std::uint32_t, void* self) noexcept {
                  return or_give_up("end of a lease", [watch = static_cast<LeaseWatch*>(self)] {
                    // Once: the condition lasts, and the grant takes its time to go. The watch may go in the call.
                    watch->be_quiet();
                    const auto ended = std::move(watch->on_ended_);
                    ended();
                  });
                },
                this),
            "sd_event_add_io");
  source_.reset(source);
}

LeaseWatch::~LeaseWatch() {
  source_.reset();
  end_lease(lease_.socket.get());
}

}  // namespace p2pd
