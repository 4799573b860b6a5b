// SPDX-License-Identifier: LGPL-2.1-or-later
#include "platform/root_complex.h"

#include <fmt/format.h>

#include <algorithm>

namespace p2pd {

namespace {

const CpuEntry* find_cpu(const PlatformTables& tables, const HostFacts& host) {
  const auto found = std::find_if(tables.cpus.begin(), tables.cpus.end(), [&](const CpuEntry& entry) {
    return entry.vendor == host.cpu_vendor && host.cpu_family >= entry.since_family;
  });
  return found == tables.cpus.end() ? nullptr : &*found;
}

// The first device of the root bus, as p2pdma.c pci_host_bridge_dev() takes it. The kernel goes by the order of
// discovery; the lowest device number is the same but for devices that were plugged into a root bus later.
const Function* first_of_root_bus(const Machine& machine, const Function& below) {
  const auto& functions = machine.functions();
  const auto first = std::lower_bound(functions.begin(), functions.end(), Address{below.root_domain, below.root_bus, 0, 0},
                                      [](const Function& function, const Address& wanted) { return function.address < wanted; });
  if (first == functions.end() || first->address.domain != below.root_domain || first->address.bus != below.root_bus)
    return nullptr;
  return &*first;
}

RootComplex look_up(const Machine& machine, const PlatformTables& tables, unsigned kernel, const Function& below,
                    bool is_same_bridge) {
  const auto* key = first_of_root_bus(machine, below);
  if (key == nullptr)
    return {Forwarding::unknown, fmt::format("pci{:04x}:{:02x}", below.root_domain, below.root_bus),
            "no function is on this root bus"};
  const auto where = key->address.to_string();
  const auto name = fmt::format("host bridge {:04x}:{:04x}", key->vendor, key->device);
  const bool is_first_slot = key->address.device == 0 && key->address.function == 0;
  if (!is_first_slot && key->port_type != PortType::root_port) {
    if (key->port_type == PortType::unknown) return {Forwarding::unknown, where, name + ": its port type could not be read"};
    return {Forwarding::not_listed, where, name + " is neither at 00.0 nor a root port: the kernel looks nothing up for it"};
  }
  // The first entry that matches decides, p2pdma.c __host_bridge_whitelist().
  const auto entry = std::find_if(tables.host_bridges.begin(), tables.host_bridges.end(), [&](const HostBridgeEntry& candidate) {
    return candidate.vendor == key->vendor && (!candidate.device || *candidate.device == key->device) &&
           candidate.since <= kernel && (candidate.until == 0 || kernel <= candidate.until);
  });
  if (entry == tables.host_bridges.end()) return {Forwarding::not_listed, where, name + " is in no list"};
  if (entry->same_bridge_only && !is_same_bridge)
    return {Forwarding::same_bridge_only, where, fmt::format("{} ({}) forwards below one host bridge only", name, entry->what)};
  return {Forwarding::yes, where, fmt::format("{} ({}) forwards", name, entry->what)};
}

}  // namespace

RootComplex root_complex_between(const Machine& machine, const PlatformTables& tables, unsigned kernel, const Function& a,
                                 const Function& b) {
  if (const auto* cpu = find_cpu(tables, machine.host())) return {Forwarding::yes, "", cpu->what + " forwards between any two"};

  const bool is_same_bridge = a.root_domain == b.root_domain && a.root_bus == b.root_bus;
  auto answer = look_up(machine, tables, kernel, a, is_same_bridge);
  if (!is_same_bridge && answer.forwarding == Forwarding::yes) answer = look_up(machine, tables, kernel, b, is_same_bridge);
  if (answer.forwarding == Forwarding::not_listed && machine.host().cpu_vendor.empty()) {
    answer.forwarding = Forwarding::unknown;
    answer.reason += ", and the CPU is not known";
  }
  return answer;
}

}  // namespace p2pd
