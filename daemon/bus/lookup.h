// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Names in requests to things of the machine: syntax first, then whether it is there.
#pragma once

#include <string>

#include "bus/service.h"
#include "model/target_name.h"

namespace p2pd {

// InvalidArgument when it is not an address.
[[nodiscard]] Outcome<Address> parse_function(const std::string& text);
// InvalidArgument when it is not a target: syntax, BAR above 5, empty or overflowing range, not page-aligned.
[[nodiscard]] Outcome<TargetName> parse_target(const std::string& text);
// The same for a range that comes as numbers.
[[nodiscard]] Outcome<void> check_range(std::uint64_t offset, std::uint64_t length);

// NotFound when it is not in the machine, looked for in sysfs once.
[[nodiscard]] Outcome<Address> find_function(const Core& core, const std::string& text);
// NotFound when function or BAR are not there, InvalidArgument when the range goes beyond the BAR.
[[nodiscard]] Outcome<TargetName> find_target(const Core& core, const std::string& text);

}  // namespace p2pd
