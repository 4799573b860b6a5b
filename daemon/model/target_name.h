// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How a target is written everywhere: `ADDRESS:BAR[:OFFSET+LENGTH]`, offset and length in bytes, decimal or 0x hex.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/address.h"
#include "model/units.h"

namespace p2pd {

inline constexpr unsigned bar_count = 6;

struct TargetName {
  Address device;
  unsigned bar = 0;  // 0..5
  Bytes offset;
  Bytes length;  // 0 = to the end of the BAR

  auto operator<=>(const TargetName&) const = default;

  // Syntax only (a BAR above 5 does not parse, an empty or wrapping range neither); whether it is there is for others.
  [[nodiscard]] static std::optional<TargetName> parse(std::string_view text);
  // Leaves the range out when it is the whole BAR (offset 0, length 0).
  [[nodiscard]] std::string to_string() const;
};

}  // namespace p2pd
