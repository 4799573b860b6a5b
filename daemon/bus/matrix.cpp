// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/matrix.h"

#include <array>

#include "bus/lookup.h"
#include "verdict/judge.h"

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
  if (rows <= most_ends && columns <= most_ends - rows && rows * columns <= most_pairs) return {};
  return refuse(ErrorCode::invalid_argument, std::to_string(rows) + " initiators x " + std::to_string(columns) +
                                                 " targets are more than " + std::to_string(most_pairs) + " pairs, or " +
                                                 std::to_string(most_ends) +
                                                 " initiators and targets: name fewer (options initiators, targets)");
}

// Texts for outlines, in the order in which they come up.
class Legend {
 public:
  explicit Legend(std::vector<std::string>& texts) : texts_(texts) { known_.fill(unknown); }

  std::uint8_t index_of(bool is_same, const Outline& outline) {
    auto& index = is_same ? known_.back() : known_.at(position(outline));
    if (index == unknown) {
      index = static_cast<std::uint8_t>(texts_.size());
      texts_.push_back(is_same ? "same"
                               : to_string(outline.possible) + "/" + to_string(outline.answer) + "/" + to_string(outline.route));
    }
    return index;
  }

 private:
  static constexpr std::size_t answers = 3;
  static constexpr std::size_t routes = 5;
  static constexpr std::uint8_t unknown = 0xff;

  static std::size_t position(const Outline& outline) {
    return (static_cast<std::size_t>(outline.possible) * answers + static_cast<std::size_t>(outline.answer)) * routes +
           static_cast<std::size_t>(outline.route);
  }

  std::vector<std::string>& texts_;
  std::array<std::uint8_t, answers * answers * routes + 1> known_{};
};

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
  for (const auto& row : *rows) matrix.rows.push_back(row.to_string());
  for (const auto& column : *columns) matrix.columns.push_back(column.to_string());
  const auto outlines = core.outlines(*rows, *columns);
  matrix.cells.reserve(outlines.size());
  Legend legend(matrix.legend);
  auto outline = outlines.begin();
  for (const auto& row : *rows)
    for (const auto& column : *columns) matrix.cells.push_back(legend.index_of(row == column.device, *outline++));
  return matrix;
}

}  // namespace p2pd
