// SPDX-License-Identifier: LGPL-2.1-or-later
//
// "Can these two devices DMA to each other?": the answer, and every reason against it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace p2pclient {

// unknown is never to be treated as yes.
enum class Answer : std::uint8_t { no, yes, unknown };

// One reason against a pair. Codes and severities may grow: treat what you do not know as a reason against.
struct Blocker {
  std::string code;        // stable, kebab-case
  std::string severity;    // block (hardware, firmware, boot), setup (can be changed now), limit (works, but less)
  bool is_certain = true;  // false: what was needed to decide could not be read
  std::string where;       // the function, port or file
  std::string observed;    // what was read there
  std::string needed;      // what it should be
  std::string remedy;      // a command or boot argument, ready to paste; "" when there is none
  std::string isolation;   // what the remedy gives up; "" = nothing

  bool operator==(const Blocker&) const = default;
};

// What p2pdma of the running kernel would decide: predicts what kernel importers accept.
struct KernelRule {
  std::optional<bool> present;  // the kernel has p2pdma
  std::string map_type = "unknown";
  std::optional<unsigned> distance;

  bool operator==(const KernelRule&) const = default;
};

struct Verdict {
  std::string initiator;
  std::string target;  // ADDRESS:BAR[:OFFSET+LENGTH]
  unsigned bar = 0;
  Answer answer = Answer::unknown;    // no block and no setup: works now
  Answer possible = Answer::unknown;  // no block: an operator can make it work
  std::string route = "none";         // none, local, switch, root-complex, described
  std::string decided_by = "route";   // what the answer follows: route (where requests go), description
  Answer writes = Answer::unknown;    // which kinds of request get there
  Answer reads = Answer::unknown;
  Answer translated = Answer::unknown;  // with an address that the initiator had translated before (ATS)
  std::string evidence = "rules";       // rules, described, proven
  KernelRule kernel;
  std::vector<Blocker> blockers;
  std::vector<std::string> remedies;  // what to change, in order, so that nothing is left against the pair; may be empty
  std::vector<std::string> notes;

  bool operator==(const Verdict&) const = default;
};

// What a matrix tells of a pair.
struct PairSummary {
  bool is_same = false;  // the target belongs to the initiator itself; the rest says nothing then
  Answer possible = Answer::unknown;
  Answer answer = Answer::unknown;
  std::string route = "none";

  bool operator==(const PairSummary&) const = default;
};

// Verdicts of many pairs.
struct Matrix {
  std::vector<std::string> initiators;  // rows
  std::vector<std::string> targets;     // columns
  std::vector<std::uint8_t> cells;      // row by row, indices into `kinds`
  std::vector<PairSummary> kinds;

  // Throws std::out_of_range.
  [[nodiscard]] const PairSummary& at(std::size_t initiator, std::size_t target) const {
    return kinds.at(cells.at(initiator * targets.size() + target));
  }
  bool operator==(const Matrix&) const = default;
};

// What an initiator can address without passing the IOMMU, from the ACS bits as they are now.
struct ReachSet {
  std::vector<std::string> targets;  // ADDRESS:BAR, ports included
  bool is_complete = true;           // false: ACS on the way could not be read, so there may be more

  bool operator==(const ReachSet&) const = default;
};

[[nodiscard]] std::string to_string(Answer answer);  // no, yes, unknown

}  // namespace p2pclient
