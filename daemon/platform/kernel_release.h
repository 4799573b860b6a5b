// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Kernel releases as the platform tables count them: major * 1000 + minor.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace p2pd {

// From `uname -r`, e.g. "7.3.4-1~bpo13+1-amd64" is 7003; nothing when it does not begin with two numbers.
[[nodiscard]] std::optional<unsigned> parse_kernel_release(std::string_view release);

// 7003 is "7.3".
[[nodiscard]] std::string kernel_name(unsigned kernel);

}  // namespace p2pd
