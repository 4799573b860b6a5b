// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From the remedies of single blockers to one list of what to do.
#pragma once

#include <string>
#include <vector>

#include "verdict/verdict.h"

namespace p2pd {

// What Verdict::remedies promises.
[[nodiscard]] std::vector<std::string> remedies_of(const std::vector<Blocker>& blockers);

}  // namespace p2pd
