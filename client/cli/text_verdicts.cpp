// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Verdicts: of one pair with all its reasons, of many as a matrix.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/text.h"

namespace p2pclient::cli {

namespace {

char letter(const PairSummary& pair) {
  if (pair.is_same) return '=';
  if (pair.possible == Answer::no) return '-';
  if (pair.possible == Answer::unknown) return '?';
  if (pair.route == "local") return 'L';
  if (pair.route == "switch") return 'S';
  if (pair.route == "root-complex") return 'R';
  if (pair.route == "described") return 'D';
  return 'Y';
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
    default: return "possible";
  }
}

std::string describe(const KernelRule& kernel) {
  if (kernel.present == false) return "this kernel has no p2pdma";
  auto text = kernel.map_type;
  if (kernel.distance) text += fmt::format(", distance {}", *kernel.distance);
  if (!kernel.present) text += " (whether the kernel has p2pdma is not known)";
  return text;
}

std::string describe(const Blocker& blocker) {
  auto text = fmt::format("\n  {}: {}{}\n", blocker.severity, blocker.code, blocker.is_certain ? "" : " (not certain)");
  const auto line = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("    {:<9} {}\n", name, value);
  };
  line("where", blocker.where);
  line("observed", blocker.observed);
  line("needed", blocker.needed);
  line("remedy", blocker.remedy);
  line("gives up", blocker.isolation);
  return text;
}

}  // namespace

std::string verdict_text(const Verdict& verdict) {
  auto text = fmt::format("{} -> {}: {}\n", verdict.initiator, verdict.target, to_string(verdict.answer));
  if (verdict.answer != verdict.possible) text += fmt::format("  possible  {}\n", to_string(verdict.possible));
  text += fmt::format("  route     {}\n", verdict.route);
  text += fmt::format("  requests  writes {}, reads {}, translated {}\n", to_string(verdict.writes), to_string(verdict.reads),
                      to_string(verdict.translated));
  text += fmt::format("  decided   by the {} rule\n", verdict.decided_by);
  text += fmt::format("  evidence  {}\n", verdict.evidence);
  text += fmt::format("  kernel    {}\n", describe(verdict.kernel));
  for (const auto& blocker : verdict.blockers) text += describe(blocker);
  if (!verdict.remedies.empty()) text += "\n  to make it work:\n";
  for (const auto& remedy : verdict.remedies) text += fmt::format("    {}\n", remedy);
  if (!verdict.notes.empty()) text += '\n';
  for (const auto& note : verdict.notes) text += fmt::format("  note: {}\n", note);
  return text;
}

std::string matrix_text(const Matrix& matrix, const Style& style) {
  if (matrix.initiators.empty() || matrix.targets.empty()) return "no pairs: there is no initiator or no memory BAR\n";
  // Names of targets are long: columns are numbered.
  std::vector<Column> columns{{"INITIATOR"}};
  for (std::size_t i = 0; i < matrix.targets.size(); ++i) columns.push_back({fmt::format("{}", i + 1), true});
  Table table(columns, style);
  std::set<char> used;
  for (std::size_t row = 0; row < matrix.initiators.size(); ++row) {
    std::vector<std::string> cells{matrix.initiators[row]};
    for (std::size_t column = 0; column < matrix.targets.size(); ++column) {
      const char cell = letter(matrix.at(row, column));
      used.insert(cell);
      cells.emplace_back(1, cell);
    }
    table.add(cells);
  }
  auto text = table.to_string() + "\n";
  for (std::size_t i = 0; i < matrix.targets.size(); ++i) text += fmt::format("{:>3}  {}\n", i + 1, matrix.targets[i]);
  text += '\n';
  for (const char cell : used) text += fmt::format("  {}  {}\n", cell, meaning(cell));
  return text;
}

}  // namespace p2pclient::cli
