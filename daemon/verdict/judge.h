// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The judge: a pure function from the picture of the machine to a verdict. What only the arbiter knows (is the target
// enabled, who holds the group) is added by the arbiter afterwards.
#pragma once

#include <vector>

#include "model/access.h"
#include "model/machine.h"
#include "model/target_name.h"
#include "platform/tables.h"
#include "verdict/kernel_rule.h"
#include "verdict/verdict.h"

namespace p2pd {

struct JudgeOptions {
  unsigned address_bits = 0;           // how far the initiator's DMA engine reaches, 1..64; 0 = as platform.d knows, else 64
  Access access = Access::read_write;  // what the initiator is to do: a root complex may forward writes and no reads
};

// Initiator and target must be in the machine; a function that is not yields a verdict with blocker `function-not-found`.
[[nodiscard]] Verdict judge(const Machine& machine, const PlatformTables& tables, const Address& initiator,
                            const TargetName& target, const JudgeOptions& options = {});

// Why peer traffic cannot be judged or set up on this machine at all (no IOMMU, no VFIO, a virtual machine without a
// description): the same blockers that every pair gets, for `p2p-client` to say what to do first.
[[nodiscard]] std::vector<Blocker> judge_machine(const Machine& machine, const PlatformTables& tables);

// What remains of a verdict when its reasons are left out.
struct Outline {
  Answer possible = Answer::unknown;
  Answer answer = Answer::unknown;
  Route route = Route::none;

  bool operator==(const Outline&) const = default;
};

// One end of many pairs: what stands against it, whatever is at the other end.
struct PairEnd {
  Place place;
  TargetName target;           // of a target
  unsigned address_bits = 64;  // of an initiator, as far as platform.d knows
  std::vector<Blocker> blockers;
  std::vector<Blocker> group_blockers;  // count once when both ends are in one IOMMU group
  Weight weight;
  Weight group_weight;

  // Weighs the blockers and drops them, for there may be very many ends: whoever adds one calls it last.
  void conclude();
};

// The outlines of very many pairs: by the same rules as judge(), but what concerns one end is judged once.
class Outliner {
 public:
  // Both must live longer, and longer than the ends.
  Outliner(const Machine& machine, const PlatformTables& tables);

  // Not concluded yet. Without a function where the machine has none.
  [[nodiscard]] PairEnd initiator(const Address& address) const;
  [[nodiscard]] PairEnd target(const TargetName& name) const;

  [[nodiscard]] Outline between(const PairEnd& initiator, const PairEnd& target, const JudgeOptions& options = {}) const;

 private:
  const Machine& machine_;
  const PlatformTables& tables_;
  unsigned kernel_;  // whose tables
  Weight host_weight_;
};

}  // namespace p2pd
