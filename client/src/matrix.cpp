// SPDX-License-Identifier: LGPL-2.1-or-later
#include "matrix.h"

#include <algorithm>

namespace p2pclient {

namespace {

std::vector<std::string> part_of(const std::vector<std::string>& names, std::size_t begin, std::size_t count) {
  const auto first = names.begin() + static_cast<std::ptrdiff_t>(begin);
  return {first, first + static_cast<std::ptrdiff_t>(std::min(count, names.size() - begin))};
}

std::uint8_t index_of(std::vector<PairSummary>& kinds, const PairSummary& kind) {
  const auto found = std::find(kinds.begin(), kinds.end(), kind);
  const auto index = found - kinds.begin();
  if (found == kinds.end()) kinds.push_back(kind);
  return static_cast<std::uint8_t>(index);
}

}  // namespace

Matrix ask_in_parts(const std::vector<std::string>& initiators, const std::vector<std::string>& targets, const AskPairs& ask) {
  Matrix whole{.initiators = initiators, .targets = targets};
  whole.cells.resize(initiators.size() * targets.size());
  const auto columns = std::clamp<std::size_t>(targets.size(), 1, most_names_at_once);
  const auto rows = std::min(most_pairs_at_once / columns, most_names_at_once);
  for (std::size_t row = 0; row < initiators.size(); row += rows) {
    for (std::size_t column = 0; column < targets.size(); column += columns) {
      const auto part = ask(part_of(initiators, row, rows), part_of(targets, column, columns));
      // As p2pd spells them: canonical.
      std::copy(part.initiators.begin(), part.initiators.end(), whole.initiators.begin() + static_cast<std::ptrdiff_t>(row));
      std::copy(part.targets.begin(), part.targets.end(), whole.targets.begin() + static_cast<std::ptrdiff_t>(column));
      for (std::size_t i = 0; i < part.initiators.size(); ++i)
        for (std::size_t j = 0; j < part.targets.size(); ++j)
          whole.cells.at((row + i) * targets.size() + column + j) = index_of(whole.kinds, part.at(i, j));
    }
  }
  return whole;
}

}  // namespace p2pclient
