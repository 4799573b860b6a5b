// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What grants are called in the fd store and in errors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "arbiter/ids.h"

namespace p2pd {

// "holding/7", "mapping/9"
[[nodiscard]] std::string text_of(const GrantId& grant);

// "h7.c", "m9.l"; the number in hex, so that 52 bits of it fit into the 16 characters of a name.
[[nodiscard]] std::string stored_name(const GrantId& grant, char suffix);
// "t3.c": targets have no number of their own; this one counts openings.
[[nodiscard]] std::string stored_target_name(std::uint64_t number, char suffix);

// Whether it is one of a holding's, of a target's.
[[nodiscard]] bool is_holding_name(std::string_view stored);
[[nodiscard]] bool is_target_name(std::string_view stored);

inline constexpr char lease_suffix = 'l';

}  // namespace p2pd
