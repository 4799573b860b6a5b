// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where functions sit: the way up to the root, the path between two, and what a function can reach past the IOMMU.
#pragma once

#include <optional>
#include <vector>

#include "model/machine.h"

namespace p2pd {

// The function itself, the bridge above it, … up to the one on the root bus. A VF climbs from its PF's bridge.
[[nodiscard]] std::vector<const Function*> way_up(const Machine& machine, const Function& function);

struct Path {
  std::vector<Address> initiator_arm;  // initiator first, without the common one
  std::optional<Address> common;       // lowest common bridge (or the function itself); nothing: only the root complex joins them
  std::vector<Address> target_arm;     // target first, without the common one
  unsigned distance = 0;               // as p2pdma counts it: hops on both arms, past the root when there is no common bridge
  bool same_host_bridge = false;       // both below one root bus
};

[[nodiscard]] Path path_between(const Machine& machine, const Function& initiator, const Function& target);

// Every function whose BARs (ports included) `initiator` can address without passing the IOMMU, from the ACS bits as
// they are now. The unit of isolation. The initiator itself is not in it, nor is what has no memory BAR. Where the rule
// comes from: reach_set.cpp.
struct ReachSet {
  std::vector<Address> functions;
  bool is_complete = true;  // false: an ACS control on the way could not be read, so there may be more
};

[[nodiscard]] ReachSet reach_set(const Machine& machine, const Function& initiator);

}  // namespace p2pd
