// SPDX-License-Identifier: LGPL-2.1-or-later
//
// All that is to be said about one pair: the verdict, the path that was judged, and what the initiator reaches besides.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/source.h"
#include "cli/table.h"

namespace p2pclient::cli {

// One function of the path, in the order in which a request meets it.
struct Hop {
  enum class Way : std::uint8_t { up, turn, down };

  Device device;
  Way way = Way::up;  // turn: the lowest that both have above them
};

struct Explanation {
  Verdict verdict;
  std::vector<Hop> path;  // without a turn the root complex is between up and down
  ReachSet reach;
};

// Throws Error.
[[nodiscard]] Explanation explain(Source& source, const std::string& initiator, const std::string& target,
                                  std::optional<unsigned> address_bits);

// The answer as a sentence.
[[nodiscard]] std::string sentence(const Verdict& verdict);

[[nodiscard]] std::string to_string(Hop::Way way);  // up, turn, down
[[nodiscard]] std::string explanation_text(const Explanation& explanation, const Style& style);
[[nodiscard]] std::string explanation_json(const Explanation& explanation);

}  // namespace p2pclient::cli
