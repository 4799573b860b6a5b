// SPDX-License-Identifier: LGPL-2.1-or-later
#include "platform/kernel_release.h"

#include <fmt/format.h>

#include <charconv>

namespace p2pd {

std::optional<unsigned> parse_kernel_release(std::string_view release) {
  unsigned major = 0;
  unsigned minor = 0;
  const auto* const end = release.data() + release.size();
  const auto first = std::from_chars(release.data(), release.data() + release.size(), major);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, minor);
  if (second.ec != std::errc{} || major > 1'000'000 || minor > 999) return std::nullopt;
  return major * 1000 + minor;
}

std::string kernel_name(unsigned kernel) { return fmt::format("{}.{}", kernel / 1000, kernel % 1000); }

}  // namespace p2pd
