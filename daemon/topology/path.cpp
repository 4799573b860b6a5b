// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The way up and the path between two functions, walked and counted as p2pdma.c calc_map_type_and_dist does.
#include <algorithm>

#include "topology/topology.h"

namespace p2pd {

Way way_up(const Machine& machine, const Function& function) {
  Way way;
  const auto* next = &function;
  // A dump can be crafted so that two bridges stand above each other: stop where the way would bite its tail.
  while (next != nullptr && std::find(way.begin(), way.end(), next) == way.end()) {
    way.push_back(next);
    next = machine.bridge_above(*next);
  }
  return way;
}

Path path_between(std::span<const Function* const> initiator, std::span<const Function* const> target) {
  // Without a common bridge both arms are whole, and the count goes past the root on both sides.
  Path path{.initiator_arm = initiator, .target_arm = target, .shared = {}};
  // The first node above the target that is also above the initiator is the lowest common one.
  for (std::size_t i = 0; i < target.size() && path.common == nullptr; ++i) {
    const auto joins = std::find(initiator.begin(), initiator.end(), target[i]);
    if (joins == initiator.end()) continue;
    path.common = target[i];
    path.target_arm = target.first(i);
    path.initiator_arm = initiator.first(static_cast<std::size_t>(joins - initiator.begin()));
    path.shared = target.subspan(i);
  }
  path.distance = static_cast<unsigned>(path.initiator_arm.size() + path.target_arm.size());
  return path;
}

}  // namespace p2pd
