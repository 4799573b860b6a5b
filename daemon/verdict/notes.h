// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What does not decide but should be known. Each note begins with its code.
#pragma once

#include <string>
#include <vector>

#include "platform/tables.h"
#include "verdict/path_conditions.h"

namespace p2pd {

// What files of platform.d know of ports on the way, and which of them an operator answers for.
void note_ports(const PathQuestion& question, const PlatformTables& tables, std::vector<std::string>& notes);

// An operator took it upon themselves: so whoever reads the verdict must know.
void note_unsafe(const About& about, std::vector<std::string>& notes);

void note_path(const PathQuestion& question, const KernelRule& kernel, std::vector<std::string>& notes);

}  // namespace p2pd
