// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where functions sit: the way up to the root, the path between two, and what a function can reach past the IOMMU.
#pragma once

#include <span>
#include <vector>

#include "model/machine.h"
#include "model/target_name.h"

namespace p2pd {

// The function itself, the bridge above it, … up to the one on the root bus. A VF climbs from its PF's bridge.
using Way = std::vector<const Function*>;
// `function` is one of the machine's: ways are compared by what they point to.
[[nodiscard]] Way way_up(const Machine& machine, const Function& function);

// Pieces of two ways: nothing is copied, because it is made for each of very many pairs.
struct Path {
  std::span<const Function* const> initiator_arm;  // initiator first, without the common one
  const Function* common = nullptr;  // lowest common bridge (or the function itself); null: only the root complex joins them
  std::span<const Function* const> target_arm;  // target first, without the common one
  std::span<const Function* const> shared;      // from the common one up to the root bus
  unsigned distance = 0;  // as p2pdma counts it: hops on both arms, past the root when there is no common bridge
};

// Lives as long as the ways.
[[nodiscard]] Path path_between(std::span<const Function* const> initiator, std::span<const Function* const> target);

// Every function whose BARs (ports included) `initiator` can address without passing the IOMMU, from the ACS bits as
// they are now. The unit of isolation. The initiator itself is not in it, nor is what has no memory BAR. Where the rule
// comes from: reach_set.cpp.
struct ReachSet {
  std::vector<Address> functions;
  bool is_complete = true;  // false: an ACS control on the way, or ATS, could not be read, so there may be more
};

// `cleared`: functions whose redirects (RR, CR, EC) are taken as switched off, to see what that would change.
[[nodiscard]] ReachSet reach_set(const Machine& machine, const Function& initiator,
                                 std::span<const Function* const> cleared = {});

// The BARs of a reach set: memory that has an address.
[[nodiscard]] std::vector<TargetName> targets_in(const Machine& machine, const ReachSet& reach);

}  // namespace p2pd
