// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What does not decide but should be known. Each note begins with its code.
#pragma once

#include <string>
#include <vector>

#include "verdict/path_conditions.h"

namespace p2pd {

void note_path(const PathQuestion& question, const KernelRule& kernel, std::vector<std::string>& notes);

}  // namespace p2pd
