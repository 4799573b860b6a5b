// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Verdicts of many pairs, a letter each: rows initiate, columns are reached.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "cli/text.h"

namespace p2pclient::cli {

namespace {

// Capital: possible. Small: the route is known, whether it is possible is not.
char letter(const PairSummary& pair) {
  if (pair.is_same) return '=';
  if (pair.possible == Answer::no) return '-';
  const bool is_known = pair.possible == Answer::yes;
  if (pair.route == "local") return is_known ? 'L' : 'l';
  if (pair.route == "switch") return is_known ? 'S' : 's';
  if (pair.route == "root-complex") return is_known ? 'R' : 'r';
  if (pair.route == "described") return is_known ? 'D' : 'd';
  return is_known ? 'Y' : '?';
}

const char* meaning(char of) {
  switch (of) {
    case '=': return "the initiator's own BAR";
    case '-': return "not possible";
    case '?': return "not known";
    case 'L': return "possible, inside one device";
    case 'S': return "possible, through a switch";
    case 'R': return "possible, through the root complex";
    case 'D': return "possible, as a description says";
    case 'l': return "not known; inside one device if it is";
    case 's': return "not known; through a switch if it is";
    case 'r': return "not known; through the root complex if it is";
    case 'd': return "not known; as a description says if it is";
    default: return "possible";
  }
}

std::string name_of(const std::string& name, const Fold& fold) {
  return fold.members.size() == 1 ? name : fmt::format("{} +{}", name, fold.members.size() - 1);
}

// A set of columns of the table: those of one target of a fold.
struct Target {
  const Fold* fold = nullptr;
  std::size_t number = 0;  // of the targets of a member
};

// The pair of folded functions: of two members when both are of one fold.
const PairSummary& pair_of(const Matrix& matrix, const Fold& initiator, const Target& target) {
  const auto& other =
      target.fold == &initiator && initiator.members.size() > 1 ? target.fold->members[1] : target.fold->members[0];
  return matrix.at(initiator.members[0].rows.front(), other.columns[target.number]);
}

// How many columns fit beside the names of the rows; at least one.
std::size_t columns_that_fit(std::size_t name_width, std::size_t columns, const Style& style) {
  if (!style.width) return columns;
  const auto cell = fmt::format("{}", columns).size() + 1;
  return *style.width > name_width + cell ? (*style.width - name_width) / cell : 1;
}

std::string members_text(const Fold& fold) {
  std::vector<std::string> names;
  names.reserve(fold.members.size());
  for (const auto& member : fold.members) names.push_back(member.address);
  constexpr std::size_t most = 9;
  if (names.size() <= most) return fmt::format("{}", fmt::join(names, " "));
  return fmt::format("{} {} {} ... {}", names[0], names[1], names[2], names.back());
}

std::string folds_text(const std::vector<Fold>& folds) {
  std::string text;
  for (const auto& fold : folds)
    if (fold.members.size() > 1) text += fmt::format("  {} alike: {}\n", fold.members.size(), members_text(fold));
  if (text.empty()) return text;
  return "\nfolded, because all their pairs are alike, those among them too (--all shows each; = is left out):\n" + text;
}

}  // namespace

std::string matrix_text(const Matrix& matrix, const std::vector<Fold>& folds, const Style& style) {
  if (matrix.initiators.empty() || matrix.targets.empty()) return "no pairs: there is no initiator or no memory BAR\n";
  std::vector<Target> targets;
  std::size_t name_width = std::string_view("INITIATOR").size();
  for (const auto& fold : folds) {
    for (std::size_t i = 0; i < fold.members[0].columns.size(); ++i) targets.push_back({&fold, i});
    name_width = std::max(name_width, name_of(fold.members[0].address, fold).size());
  }
  const auto first_column = [](const Target& target) { return target.fold->members[0].columns[target.number]; };
  std::sort(targets.begin(), targets.end(), [&](const Target& a, const Target& b) { return first_column(a) < first_column(b); });

  std::set<char> used;
  std::string text;
  const auto block = columns_that_fit(name_width, targets.size(), style);
  for (std::size_t begin = 0; begin < targets.size(); begin += block) {
    const auto end = std::min(begin + block, targets.size());
    // Names of targets are long: columns are numbered.
    std::vector<Column> columns{{"INITIATOR"}};
    for (auto column = begin; column < end; ++column) columns.push_back({fmt::format("{}", column + 1), true});
    Table table(columns, {.colors = style.colors});
    for (const auto& fold : folds) {
      if (fold.members[0].rows.empty()) continue;
      std::vector<std::string> cells{name_of(fold.members[0].address, fold)};
      for (auto column = begin; column < end; ++column) {
        const char cell = letter(pair_of(matrix, fold, targets[column]));
        used.insert(cell);
        cells.emplace_back(1, cell);
      }
      table.add(cells);
    }
    text += table.to_string() + "\n";
  }
  for (std::size_t i = 0; i < targets.size(); ++i)
    text += fmt::format("{:>3}  {}\n", i + 1, name_of(matrix.targets[first_column(targets[i])], *targets[i].fold));
  text += "\nrows issue the DMA, columns are reached; A to B and B to A are two answers\n";
  for (const char cell : used) text += fmt::format("  {}  {}\n", cell, meaning(cell));
  return text + folds_text(folds);
}

}  // namespace p2pclient::cli
