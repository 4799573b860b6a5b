// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A matrix out of parts: p2pd answers so many pairs at once and no more, so that it is there for others in between.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "p2pclient/verdict.h"

namespace p2pclient {

// Not more than p2pd takes (CheckAll), and less: that is its business, and may change.
inline constexpr std::size_t most_pairs_at_once = 32768;
inline constexpr std::size_t most_names_at_once = 4096;  // of initiators, and of targets

// Asks about all of these initiators and targets.
using AskPairs = std::function<Matrix(const std::vector<std::string>& initiators, const std::vector<std::string>& targets)>;

[[nodiscard]] Matrix ask_in_parts(const std::vector<std::string>& initiators, const std::vector<std::string>& targets,
                                  const AskPairs& ask);

}  // namespace p2pclient
