// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The way up and the path between two functions, walked and counted as p2pdma.c calc_map_type_and_dist does.
#include <algorithm>

#include "topology/topology.h"

namespace p2pd {

namespace {

// pci_upstream_bridge(): the bus of a VF is a virtual one, its bridge is the one above its PF.
const Function* bridge_above(const Machine& machine, const Function& function) {
  if (function.physical_function)
    if (const auto* physical = machine.find(*function.physical_function)) return machine.parent_of(*physical);
  return machine.parent_of(function);
}

std::vector<Address> addresses_below(const std::vector<const Function*>& way, std::size_t count) {
  std::vector<Address> addresses;
  addresses.reserve(count);
  for (std::size_t i = 0; i < count; ++i) addresses.push_back(way[i]->address);
  return addresses;
}

}  // namespace

std::vector<const Function*> way_up(const Machine& machine, const Function& function) {
  std::vector<const Function*> way;
  const auto* next = &function;
  // A dump can be crafted so that two bridges stand above each other: stop where the way would bite its tail.
  while (next != nullptr &&
         std::none_of(way.begin(), way.end(), [&](const Function* seen) { return seen->address == next->address; })) {
    way.push_back(next);
    next = bridge_above(machine, *next);
  }
  return way;
}

Path path_between(const Machine& machine, const Function& initiator, const Function& target) {
  const auto from = way_up(machine, initiator);
  const auto to = way_up(machine, target);

  // Without a common bridge both arms are whole, and the count goes past the root on both sides.
  std::size_t initiator_hops = from.size();
  std::size_t target_hops = to.size();
  Path path;
  // The first node above the target that is also above the initiator is the lowest common one.
  for (std::size_t i = 0; i < to.size() && !path.common; ++i) {
    const auto joins =
        std::find_if(from.begin(), from.end(), [&](const Function* node) { return node->address == to[i]->address; });
    if (joins == from.end()) continue;
    path.common = to[i]->address;
    target_hops = i;
    initiator_hops = static_cast<std::size_t>(joins - from.begin());
  }
  path.initiator_arm = addresses_below(from, initiator_hops);
  path.target_arm = addresses_below(to, target_hops);
  path.distance = static_cast<unsigned>(initiator_hops + target_hops);
  path.same_host_bridge = initiator.root_domain == target.root_domain && initiator.root_bus == target.root_bus;
  return path;
}

}  // namespace p2pd
