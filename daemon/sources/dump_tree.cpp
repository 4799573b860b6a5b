// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sources/dump_tree.h"

#include <algorithm>
#include <array>
#include <map>

namespace p2pd {

namespace {

constexpr unsigned buses = 256;

// The bridge whose secondary side holds a bus, for each bus of a domain.
struct Holder {
  std::optional<Address> bridge;
  std::uint8_t secondary_bus = 0;
  unsigned claims = 0;  // bridges that lead to the bus
};
using Holders = std::array<Holder, buses>;

// The innermost bridge wins. A bridge forwards only to buses above its own (PCIe 6.0 §7.5.1.3.3): a dump in which one
// claims its own bus cannot make the climb to the root endless.
void add_bridge(Holders& holders, const Address& address, const BridgeWindows& windows) {
  if (windows.secondary_bus <= address.bus) return;
  for (unsigned bus = windows.secondary_bus; bus <= windows.subordinate_bus; ++bus) {
    Holder& holder = holders.at(bus);
    ++holder.claims;
    if (holder.bridge && holder.secondary_bus >= windows.secondary_bus) continue;
    holder.bridge = address;
    holder.secondary_bus = windows.secondary_bus;
  }
}

// Bridges that lead to one bus stand above each other. Where they do not, who is above it is not known.
bool is_disputed(const Holders& holders, unsigned bus) {
  unsigned above = 0;
  const auto claims = holders.at(bus).claims;
  for (const auto* holder = &holders.at(bus); holder->bridge; holder = &holders.at(holder->bridge->bus)) ++above;
  return above != claims;
}

void join_virtual_functions(std::vector<DumpedFunction>& functions) {
  for (DumpedFunction& physical : functions) {
    if (!physical.sriov || physical.is_virtual) continue;
    for (DumpedFunction& candidate : functions) {
      if (!candidate.is_virtual || candidate.function.physical_function) continue;
      const auto index = virtual_function_index(physical.function.address, *physical.sriov, candidate.function.address);
      if (!index) continue;
      candidate.function.physical_function = physical.function.address;
      candidate.function.vendor = physical.function.vendor;
      candidate.function.device = physical.sriov->device;
      complete_virtual_function(candidate.function, *physical.sriov, *index);
      physical.function.virtual_functions.push_back(candidate.function.address);
    }
  }
}

// A device at the far end of a link, which no root bus has: there is a port above it.
bool needs_port_above(PortType type) {
  return type == PortType::endpoint || type == PortType::legacy_endpoint || type == PortType::switch_upstream ||
         type == PortType::switch_downstream || type == PortType::pcie_to_pci_bridge;
}

// The silent function that must be the bridge to `bus`; of several one is as good as another, for nothing is known of any.
Function* find_silent_bridge(std::vector<DumpedFunction>& functions, const Holders& holders, std::uint32_t domain, unsigned bus) {
  const Holder& above = holders.at(bus);
  for (DumpedFunction& dumped : functions) {
    const Address& address = dumped.function.address;
    if (!dumped.is_silent || address.domain != domain || address.bus >= bus) continue;
    if (above.bridge ? address.bus == above.secondary_bus : !holders.at(address.bus).bridge) return &dumped.function;
  }
  return nullptr;
}

// What makes every rule doubt.
void forget_place(Function& function) {
  function.port_type = PortType::unknown;
  function.acs = {};
}

// A port that sleeps without power says nothing, not even that it is a bridge. If what is below it moved up, its ACS would
// no longer count: such a port takes what is below it back, and where there is none, nothing is known of the way.
void put_below_silent_bridge(std::vector<DumpedFunction>& functions, const Holders& holders, Function& function) {
  const Holder& above = holders.at(function.address.bus);
  if (above.bridge ? above.secondary_bus == function.address.bus : !needs_port_above(function.port_type)) return;
  if (auto* const bridge = find_silent_bridge(functions, holders, function.address.domain, function.address.bus)) {
    const auto bus = function.address.bus;
    if (!bridge->bridge) bridge->bridge = BridgeWindows{bus, bus, {}, {}};
    bridge->bridge->secondary_bus = std::min(bridge->bridge->secondary_bus, bus);
    bridge->bridge->subordinate_bus = std::max(bridge->bridge->subordinate_bus, bus);
    function.parent = bridge->address;
  } else if (above.bridge) {
    forget_place(function);
  }
}

}  // namespace

void place_functions(std::vector<DumpedFunction>& functions) {
  join_virtual_functions(functions);

  std::map<std::uint32_t, Holders> domains;
  for (const DumpedFunction& dumped : functions) {
    const Address& address = dumped.function.address;
    if (dumped.function.bridge) add_bridge(domains[address.domain], address, *dumped.function.bridge);
  }
  const auto bridge_above = [&](std::uint32_t domain, unsigned bus) -> std::optional<Address> {
    const auto found = domains.find(domain);
    return found == domains.end() ? std::nullopt : found->second.at(bus).bridge;
  };
  for (DumpedFunction& dumped : functions) {
    Function& function = dumped.function;
    // A VF is where its PF is, whatever bus number it has.
    std::uint8_t bus = function.physical_function ? function.physical_function->bus : function.address.bus;
    function.parent = bridge_above(function.address.domain, bus);
    if (!dumped.is_virtual) put_below_silent_bridge(functions, domains[function.address.domain], function);
    // Without its PF a VF does not even say whether it decodes.
    const bool is_orphan = dumped.is_virtual && !function.physical_function;
    if (is_orphan || is_disputed(domains[function.address.domain], bus)) forget_place(function);
    for (auto bridge = function.parent; bridge; bridge = bridge_above(function.address.domain, bus)) bus = bridge->bus;
    function.root_domain = function.address.domain;
    function.root_bus = bus;
  }
}

}  // namespace p2pd
