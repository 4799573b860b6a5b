// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Directions of a mapping, as the IOMMU enforces them: what the initiator may do to the target (or to the memory).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace p2pd {

enum class Access : std::uint8_t { read = 1, write = 2, read_write = 3 };

[[nodiscard]] constexpr bool allows(Access granted, Access asked) {
  return (static_cast<unsigned>(asked) & ~static_cast<unsigned>(granted)) == 0;
}

// "r", "w", "rw".
[[nodiscard]] std::string to_string(Access access);
[[nodiscard]] std::optional<Access> parse_access(std::string_view text);

}  // namespace p2pd
