// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/removal_watch.h"

#include <time.h>

#include <chrono>
#include <system_error>
#include <utility>

#include "effects/give_up.h"

namespace p2pd {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::microseconds interval = std::chrono::seconds{1};

bool is_waited_for(const fs::path& device) {
  std::error_code ignored;
  // A function that has gone altogether is udev's to tell.
  return fs::exists(device, ignored) && !fs::is_symlink(device / "driver", ignored);
}

}  // namespace

RemovalWatch::RemovalWatch(sd_event* loop, const fs::path& sysfs_root, std::function<void(const Address&)> on_wanted)
    : devices_(sysfs_root / "bus/pci/devices"), on_wanted_(std::move(on_wanted)) {
  sd_event_source* source = nullptr;
  must_work(sd_event_add_time_relative(
                loop, &source, CLOCK_MONOTONIC, 0, 0,
                [](sd_event_source*, std::uint64_t, void* self) noexcept {
                  return or_give_up("a look for functions that are waited for",
                                    [=] { static_cast<RemovalWatch*>(self)->look(); });
                },
                this),
            "sd_event_add_time_relative");
  timer_.reset(source);
  set_timer();
}

void RemovalWatch::add(const Address& function) {
  if (functions_.insert(function).second && functions_.size() == 1) set_timer();
}

void RemovalWatch::remove(const Address& function) {
  if (functions_.erase(function) != 0 && functions_.empty()) set_timer();
}

void RemovalWatch::look() {
  set_timer();
  for (const auto& function : functions_)
    if (is_waited_for(devices_ / function.to_string())) on_wanted_(function);
}

// Nothing lent, no wakeup.
void RemovalWatch::set_timer() {
  must_work(sd_event_source_set_time_relative(timer_.get(), static_cast<std::uint64_t>(interval.count())),
            "sd_event_source_set_time_relative");
  must_work(sd_event_source_set_enabled(timer_.get(), functions_.empty() ? SD_EVENT_OFF : SD_EVENT_ONESHOT),
            "sd_event_source_set_enabled");
}

}  // namespace p2pd
