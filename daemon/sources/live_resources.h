// SPDX-License-Identifier: LGPL-2.1-or-later
//
// BARs of the live machine: the kernel's view (sysfs `resource`: CPU addresses and sizes) and the register's (bus
// addresses) in one.
#pragma once

#include <string_view>
#include <vector>

#include "model/function.h"

namespace p2pd {

// `resource` is the text of the sysfs file; `registers` are the BARs as decoded from config space, or none when that
// was not read.
[[nodiscard]] std::vector<Bar> join_bars(std::string_view resource, const std::vector<Bar>& registers);

}  // namespace p2pd
