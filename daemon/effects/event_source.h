// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sources of the event loop that go with their owner.
#pragma once

#include <systemd/sd-event.h>

#include <memory>
#include <system_error>

namespace p2pd {

struct EventSourceDeleter {
  void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
};
using EventSource = std::unique_ptr<sd_event_source, EventSourceDeleter>;

// A negative errno of sd-event is fatal: the loop is out of memory or misused.
inline void must_work(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
}

}  // namespace p2pd
