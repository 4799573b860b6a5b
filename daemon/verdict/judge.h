// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The judge: a pure function from the picture of the machine to a verdict. What only the arbiter knows (is the target
// enabled, who holds the group) is added by the arbiter afterwards.
#pragma once

#include "model/machine.h"
#include "model/target_name.h"
#include "platform/tables.h"
#include "verdict/verdict.h"

namespace p2pd {

struct JudgeOptions {
  unsigned address_bits = 64;  // how far the initiator's DMA engine reaches; 1..64
};

// Initiator and target must be in the machine; a function that is not yields a verdict with blocker `function-not-found`.
[[nodiscard]] Verdict judge(const Machine& machine, const PlatformTables& tables, const Address& initiator,
                            const TargetName& target, const JudgeOptions& options = {});

// Why peer traffic cannot be judged or set up on this machine at all (no IOMMU, no VFIO, a virtual machine without a
// description): the same blockers that every pair gets, for `p2p-client` to say what to do first.
[[nodiscard]] std::vector<Blocker> judge_machine(const Machine& machine);

}  // namespace p2pd
