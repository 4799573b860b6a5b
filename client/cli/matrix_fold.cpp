// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/matrix_fold.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <unordered_map>

namespace p2pclient::cli {

namespace {

using Member = Fold::Member;

// ADDRESS:BAR[:RANGE]: an address ends with the digit behind its dot.
std::size_t address_length(const std::string& target) { return target.find('.') + 2; }

// Each function with its row and its columns, in the order of rows, then of columns.
std::vector<Member> members_of(const Matrix& matrix) {
  std::vector<Member> members;
  std::unordered_map<std::string, std::size_t> places;
  const auto member = [&](const std::string& address) -> Member& {
    const auto [place, is_new] = places.emplace(address, members.size());
    if (is_new) members.push_back({address, {}, {}});
    return members[place->second];
  };
  for (std::size_t row = 0; row < matrix.initiators.size(); ++row) member(matrix.initiators[row]).rows.push_back(row);
  for (std::size_t column = 0; column < matrix.targets.size(); ++column) {
    const auto& target = matrix.targets[column];
    member(target.substr(0, address_length(target))).columns.push_back(column);
  }
  return members;
}

class Comparison {
 public:
  Comparison(const Matrix& matrix, const std::vector<Member>& members) : matrix_(matrix), members_(members) {}

  // Whether exchanging the two changes nothing.
  [[nodiscard]] bool are_alike(const Member& a, const Member& b) const {
    if (a.rows.size() != b.rows.size() || !have_same_bars(a, b)) return false;
    if (!are_equal(a, a, b, b) || !are_equal(a, b, b, a)) return false;
    return std::all_of(members_.begin(), members_.end(), [&](const Member& other) {
      return &other == &a || &other == &b || (are_equal(a, other, b, other) && are_equal(other, a, other, b));
    });
  }

 private:
  [[nodiscard]] bool have_same_bars(const Member& a, const Member& b) const {
    return std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(), [&](std::size_t x, std::size_t y) {
      const auto& left = matrix_.targets[x];
      const auto& right = matrix_.targets[y];
      return left.substr(address_length(left)) == right.substr(address_length(right));
    });
  }

  // All pairs of `from` with the BARs of `to` are as those of `other_from` with the BARs of `other_to`.
  [[nodiscard]] bool are_equal(const Member& from, const Member& to, const Member& other_from, const Member& other_to) const {
    for (std::size_t row = 0; row < from.rows.size(); ++row)
      for (std::size_t column = 0; column < to.columns.size(); ++column)
        if (!are_alike(cell(from.rows[row], to.columns[column]), cell(other_from.rows[row], other_to.columns[column])))
          return false;
    return true;
  }

  [[nodiscard]] std::uint8_t cell(std::size_t row, std::size_t column) const {
    return matrix_.cells.at(row * matrix_.targets.size() + column);
  }

  // By far most are of one kind, and there are hundreds of millions of comparisons.
  [[nodiscard]] bool are_alike(std::uint8_t one, std::uint8_t other) const {
    return one == other || matrix_.kinds.at(one) == matrix_.kinds.at(other);
  }

  const Matrix& matrix_;
  const std::vector<Member>& members_;
};

// What siblings share, their class included: VFs their PF, others the switch, or the bridge, or that there is none.
class Siblings {
 public:
  explicit Siblings(const std::vector<Device>& devices) {
    for (const auto& device : devices) devices_.emplace(device.address, &device);
  }

  // "" = of no known function, which has no siblings.
  [[nodiscard]] std::string key_of(const std::string& address) const {
    const auto* device = find(address);
    if (device == nullptr) return {};
    const auto kind = std::to_string(device->class_code) + " " + device->port_type + " ";
    if (!device->physical_function.empty()) return kind + "VF of " + device->physical_function;
    const auto* above = find(device->parent);
    if (above == nullptr || above->port_type == "root-port") return kind + "root";
    return kind + "below " + (above->port_type == "switch-downstream" ? above->parent : above->address);
  }

 private:
  [[nodiscard]] const Device* find(const std::string& address) const {
    const auto found = devices_.find(address);
    return found == devices_.end() ? nullptr : found->second;
  }

  std::unordered_map<std::string, const Device*> devices_;
};

}  // namespace

std::vector<Fold> fold_nothing(const Matrix& matrix) {
  std::vector<Fold> folds;
  for (auto& member : members_of(matrix)) folds.push_back({{std::move(member)}});
  return folds;
}

std::vector<Fold> fold(const Matrix& matrix, const std::vector<Device>& devices) {
  if (matrix.initiators.size() <= wide && matrix.targets.size() <= wide) return fold_nothing(matrix);
  const auto members = members_of(matrix);
  const Comparison comparison(matrix, members);
  const Siblings siblings(devices);
  std::vector<Fold> folds;
  // Being alike is transitive: to be alike the first of a fold is to be alike all.
  std::vector<const Member*> firsts;
  std::map<std::string, std::vector<std::size_t>> folds_of;  // by what siblings share
  for (const auto& member : members) {
    const auto key = siblings.key_of(member.address);
    auto& candidates = folds_of[key];
    const auto alike =
        key.empty() ? candidates.end() : std::find_if(candidates.begin(), candidates.end(), [&](std::size_t index) {
          return comparison.are_alike(*firsts[index], member);
        });
    if (alike != candidates.end()) {
      folds[*alike].members.push_back(member);
      continue;
    }
    candidates.push_back(folds.size());
    firsts.push_back(&member);
    folds.push_back({{member}});
  }
  return folds;
}

}  // namespace p2pclient::cli
