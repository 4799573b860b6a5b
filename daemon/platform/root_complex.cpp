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

// The kernel looks nothing up for another one, p2pdma.c pci_host_bridge_dev().
HostBridge::Key key_of(const Function* first) {
  if (first == nullptr) return HostBridge::Key::missing;
  const bool is_first_slot = first->address.device == 0 && first->address.function == 0;
  if (is_first_slot || first->port_type == PortType::root_port) return HostBridge::Key::usable;
  return first->port_type == PortType::unknown ? HostBridge::Key::unread : HostBridge::Key::no_host_bridge;
}

Forwarding below(const HostBridge& bridge, bool is_same_bridge) {
  switch (bridge.key) {
    case HostBridge::Key::missing:
    case HostBridge::Key::unread: return Forwarding::unknown;
    case HostBridge::Key::no_host_bridge: return Forwarding::not_listed;
    case HostBridge::Key::usable: break;
  }
  if (bridge.entry == nullptr) return Forwarding::not_listed;
  if (bridge.entry->same_bridge_only && !is_same_bridge) return Forwarding::same_bridge_only;
  return bridge.entry->is_vouched_for ? Forwarding::yes : Forwarding::not_listed;
}

}  // namespace

HostBridge host_bridge_above(const Machine& machine, const PlatformTables& tables, unsigned kernel, const Function& function) {
  // The first device of the root bus. The kernel goes by the order of discovery; the lowest device number is the same but
  // for devices that were plugged into a root bus later.
  const auto* first = machine.first_on_bus(function.root_domain, function.root_bus);
  HostBridge bridge{.domain = function.root_domain, .bus = function.root_bus, .known_by = first, .key = key_of(first)};
  if (bridge.key != HostBridge::Key::usable) return bridge;
  // The first entry that matches decides, p2pdma.c __host_bridge_whitelist().
  const auto entry = std::find_if(tables.host_bridges.begin(), tables.host_bridges.end(), [&](const HostBridgeEntry& candidate) {
    return candidate.id.contains(*first) && candidate.about.applies_to(kernel);
  });
  if (entry != tables.host_bridges.end()) bridge.entry = &*entry;
  return bridge;
}

RootComplex root_complex_between(const HostFacts& host, const PlatformTables& tables, const HostBridge& a, const HostBridge& b) {
  RootComplex answer{.cpu = find_cpu(tables, host), .is_cpu_known = !host.cpu_vendor.empty()};
  if (answer.cpu != nullptr) {
    answer.forwarding = Forwarding::yes;
    return answer;
  }
  const bool is_same_bridge = a.domain == b.domain && a.bus == b.bus;
  answer.host_bridge = a;
  answer.forwarding = below(a, is_same_bridge);
  if (!is_same_bridge && answer.forwarding == Forwarding::yes) {
    answer.host_bridge = b;
    answer.forwarding = below(b, is_same_bridge);
  }
  if (answer.forwarding == Forwarding::not_listed && !answer.is_cpu_known) answer.forwarding = Forwarding::unknown;
  return answer;
}

std::string RootComplex::where() const {
  if (cpu != nullptr) return "";
  if (host_bridge.known_by == nullptr) return fmt::format("pci{:04x}:{:02x}", host_bridge.domain, host_bridge.bus);
  return host_bridge.known_by->address.to_string();
}

std::string RootComplex::reason() const {
  if (cpu != nullptr) return cpu->about.what + " forwards between any two";
  if (host_bridge.known_by == nullptr) return "no function is on this root bus";
  const auto name = fmt::format("host bridge {:04x}:{:04x}", host_bridge.known_by->vendor, host_bridge.known_by->device);
  if (host_bridge.key == HostBridge::Key::unread) return name + ": its port type could not be read";
  if (host_bridge.entry != nullptr) {
    const auto* extent = forwarding == Forwarding::same_bridge_only ? "forwards below one host bridge only" : "forwards";
    return fmt::format("{} ({}) {}", name, host_bridge.entry->about.what, extent);
  }
  const auto* missing = host_bridge.key == HostBridge::Key::no_host_bridge
                            ? " is neither at 00.0 nor a root port: the kernel looks nothing up for it"
                            : " is in no list";
  return name + missing + (is_cpu_known ? "" : ", and the CPU is not known");
}

}  // namespace p2pd
