// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/wanted_watch.h"

#include <sys/eventfd.h>

#include "effects/give_up.h"

namespace p2pd {

WantedWatch::WantedWatch(sd_event* loop, UniqueFd eventfd, std::function<void()> on_wanted)
    : eventfd_(std::move(eventfd)), on_wanted_(std::move(on_wanted)) {
  sd_event_source* source = nullptr;
  must_work(sd_event_add_io(
                loop, &source, eventfd_.get(), EPOLLIN,
                [](sd_event_source*, int fd, std::uint32_t, void* self) noexcept {
                  return or_give_up("a device that is wanted", [=] {
                    eventfd_t count = 0;
                    if (::eventfd_read(fd, &count) == 0) static_cast<WantedWatch*>(self)->on_wanted_();
                  });
                },
                this),
            "sd_event_add_io");
  source_.reset(source);
}

}  // namespace p2pd
