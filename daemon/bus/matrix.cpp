// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/matrix.h"

#include <algorithm>

#include "bus/lookup.h"
#include "verdict/verdict.h"

namespace p2pd {

namespace {

using Names = std::optional<std::vector<std::string>>;

Outcome<std::vector<Address>> initiators_of(const Core& core, const Names& names) {
  std::vector<Address> result;
  if (!names) {
    for (const auto& function : core.machine().functions())
      if (!function.is_bridge()) result.push_back(function.address);
    return result;
  }
  for (const auto& name : *names) {
    const auto address = find_function(core, name);
    if (!address) return tl::unexpected<Reason>(address.error());
    result.push_back(*address);
  }
  return result;
}

Outcome<std::vector<TargetName>> targets_of(const Core& core, const Names& names) {
  std::vector<TargetName> result;
  if (!names) {
    for (const auto& function : core.machine().functions())
      for (const auto& bar : function.bars)
        if (!function.is_bridge() && bar.is_memory && bar.is_assigned) result.push_back({function.address, bar.index, {}, {}});
    return result;
  }
  for (const auto& name : *names) {
    const auto target = find_target(core, name);
    if (!target) return tl::unexpected<Reason>(target.error());
    result.push_back(*target);
  }
  return result;
}

Outcome<void> check_count(std::size_t rows, std::size_t columns) {
  if (columns == 0 || rows <= most_pairs / columns) return {};
  return refuse(ErrorCode::invalid_argument, std::to_string(rows) + " initiators x " + std::to_string(columns) +
                                                 " targets are more than " + std::to_string(most_pairs) +
                                                 " pairs: name fewer (options initiators, targets)");
}

}  // namespace

Outcome<Matrix> make_matrix(const Core& core, const Names& initiators, const Names& targets) {
  // Before each of them is looked up.
  if (const auto few = check_count(initiators ? initiators->size() : 1, targets ? targets->size() : 1); !few)
    return tl::unexpected<Reason>(few.error());
  const auto rows = initiators_of(core, initiators);
  if (!rows) return tl::unexpected<Reason>(rows.error());
  const auto columns = targets_of(core, targets);
  if (!columns) return tl::unexpected<Reason>(columns.error());
  if (const auto few = check_count(rows->size(), columns->size()); !few) return tl::unexpected<Reason>(few.error());

  Matrix matrix;
  const auto legend_index = [&](const std::string& text) {
    const auto found = std::find(matrix.legend.begin(), matrix.legend.end(), text);
    const auto index = found - matrix.legend.begin();
    if (found == matrix.legend.end()) matrix.legend.push_back(text);
    return static_cast<std::uint8_t>(index);  // 3 x 3 x 5 texts and "same" at most
  };
  for (const auto& row : *rows) matrix.rows.push_back(row.to_string());
  for (const auto& column : *columns) matrix.columns.push_back(column.to_string());
  matrix.cells.reserve(rows->size() * columns->size());
  for (const auto& row : *rows) {
    for (const auto& column : *columns) {
      if (row == column.device) {
        matrix.cells.push_back(legend_index("same"));
        continue;
      }
      const auto verdict = core.check(row, column, 64, nullptr);
      matrix.cells.push_back(
          legend_index(to_string(verdict.possible) + "/" + to_string(verdict.answer) + "/" + to_string(verdict.route)));
    }
  }
  return matrix;
}

}  // namespace p2pd
