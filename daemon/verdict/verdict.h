// SPDX-License-Identifier: LGPL-2.1-or-later
//
// "Can these two devices DMA to each other?": the answer as a value, with every reason against it at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/machine.h"
#include "model/target_name.h"

namespace p2pd {

// unknown is never treated as yes.
using Answer = Tristate;

enum class Route : std::uint8_t { none, local, switched, root_complex, described };

// block: hardware, firmware, boot. setup: an operator or p2pd can change it now. limit: works, but slower or narrower.
enum class Severity : std::uint8_t { block, setup, limit };

// rules: computed. described: a table said so. proven: bytes were moved and compared.
enum class Evidence : std::uint8_t { rules, described, proven };

// What an answer follows: where the request really goes, or somebody's description where that is not known. Never p2pdma's
// rule: nothing in VFIO's path asks it.
enum class Rule : std::uint8_t { route, description };

// Which kinds of request get there, by the route rule. Of reads, the completions must come back too.
struct Directions {
  Answer writes = Answer::unknown;
  Answer reads = Answer::unknown;
  Answer translated = Answer::unknown;  // what an initiator with ATS sends: it asked the IOMMU for the address before

  bool operator==(const Directions&) const = default;
};

// One reason against a pair.
struct Blocker {
  std::string code;  // stable, kebab-case; docs/verdict.md lists them
  Severity severity = Severity::block;
  bool is_certain = true;  // false: what was needed to decide could not be read; turns yes into unknown, not into no
  std::string where;       // the function, port or file that it is about
  std::string observed;    // what was read there
  std::string needed;      // what it should be
  std::string remedy;      // command or boot argument, ready to paste; "" when there is none
  std::string isolation;   // what the remedy gives up; "" = nothing

  bool operator==(const Blocker&) const = default;
};

// What reasons come to when their texts are left out.
class Weight {
 public:
  void add(Severity severity, bool is_certain);
  void add(const Weight& other) { found_ |= other.found_; }
  [[nodiscard]] Answer possible() const { return answer(block_certain, block_uncertain); }
  [[nodiscard]] Answer answer() const { return answer(block_certain | setup_certain, block_uncertain | setup_uncertain); }

 private:
  enum Kind : unsigned { block_certain = 1, block_uncertain = 2, setup_certain = 4, setup_uncertain = 8 };
  [[nodiscard]] Answer answer(unsigned no, unsigned unknown) const;

  unsigned found_ = 0;  // of Kind
};

// What p2pdma of the running kernel would decide (p2pdma.c calc_map_type_and_dist). Predicts what kernel importers
// accept; where the kernel has no p2pdma, `present` is no and it decides nothing.
struct KernelRule {
  enum class MapType : std::uint8_t { unknown, not_supported, bus_address, through_host_bridge };
  Tristate present = Tristate::unknown;
  MapType map_type = MapType::unknown;
  std::optional<unsigned> distance;  // as the kernel counts it; nothing when not computed
  std::string table;                 // kernel release whose host-bridge table was used, e.g. "7.3"

  bool operator==(const KernelRule&) const = default;
};

struct Verdict {
  Address initiator;
  TargetName target;
  Answer possible = Answer::unknown;  // no block
  Answer answer = Answer::unknown;    // no block and no setup
  Route route = Route::none;
  Directions directions;
  Rule decided_by = Rule::route;
  Evidence evidence = Evidence::rules;
  KernelRule kernel;
  std::vector<Blocker> blockers;
  // The smallest set of changes after which nothing is left against the pair, in the order in which to make them: arguments
  // for the kernel's command line first, in one. Empty when nothing is to be done, or when nothing would help.
  std::vector<std::string> remedies;
  std::vector<std::string> notes;

  bool operator==(const Verdict&) const = default;

  // Recomputes `possible`, `answer` and `remedies` from the blockers: whoever adds one calls it.
  void conclude();
};

[[nodiscard]] std::string to_string(Tristate value);                // no, yes, unknown
[[nodiscard]] std::string to_string(Route route);                   // none, local, switch, root-complex, described
[[nodiscard]] std::string to_string(Rule rule);                     // route, description
[[nodiscard]] std::string to_string(Severity severity);             // block, setup, limit
[[nodiscard]] std::string to_string(Evidence evidence);             // rules, described, proven
[[nodiscard]] std::string to_string(KernelRule::MapType map_type);  // unknown, not-supported, bus-address, through-host-bridge

}  // namespace p2pd
