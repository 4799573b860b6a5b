// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many file descriptors this process has: what a failure must leave as it was.
#pragma once

#include <cstddef>
#include <filesystem>
#include <iterator>

namespace p2pd {

inline std::size_t open_fds() {
  const std::filesystem::directory_iterator fds("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(fds), end(fds)));
}

}  // namespace p2pd
