// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A target's name taken apart for calls that want its parts. p2pd judges whether the parts make sense.
#pragma once

#include <cstdint>
#include <string>

namespace p2pclient {

struct TargetParts {
  std::string device;
  std::uint32_t bar = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // 0 = to the end of the BAR
};

// ADDRESS:BAR[:OFFSET+LENGTH]. Throws Error InvalidArgument.
[[nodiscard]] TargetParts split_target(const std::string& target);

}  // namespace p2pclient
