// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A verdict as org.p2pd1.Manager.Check gives it.
#pragma once

#include <map>
#include <string>

#include "bus/compat.h"
#include "verdict/verdict.h"

namespace p2pd {

using Dictionary = std::map<std::string, sdbus::Variant>;

[[nodiscard]] Dictionary to_dictionary(const Verdict& verdict);

// One line for polkit: "yes", "no [target-not-enabled group-held]".
[[nodiscard]] std::string summary_of(const Verdict& verdict);

}  // namespace p2pd
