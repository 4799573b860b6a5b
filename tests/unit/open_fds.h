// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many file descriptors this process has: what a failure must leave as it was.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <thread>

namespace p2pd {

inline std::size_t open_fds() {
  const std::filesystem::directory_iterator fds("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(fds), end(fds)));
}

// What a client made is closed by another thread, soon. So may be something from before the count was taken.
inline bool open_fds_fall_to(std::size_t count) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (open_fds() > count) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace p2pd
