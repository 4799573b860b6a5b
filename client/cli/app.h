// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2p-client as a function: parses, runs the command, turns failures into messages and exit status.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"

namespace p2pclient::cli {

// `arguments` without the program's name.
[[nodiscard]] int run(const std::vector<std::string>& arguments, const Terminal& terminal);

}  // namespace p2pclient::cli
