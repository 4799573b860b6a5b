// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The clock of deadlines: CLOCK_BOOTTIME goes on while the machine sleeps.
#pragma once

#include <chrono>
#include <ctime>

namespace p2pd {

[[nodiscard]] inline std::chrono::microseconds boot_time() {
  timespec now{};
  (void)::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::microseconds{now.tv_nsec / 1000};
}

}  // namespace p2pd
