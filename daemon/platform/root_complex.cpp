// SPDX-License-Identifier: LGPL-2.1-or-later
#include "platform/root_complex.h"

#include <fmt/format.h>

#include <algorithm>

#include "platform/ports.h"

namespace p2pd {

namespace {

const CpuEntry* find_cpu(const PlatformTables& tables, const HostFacts& host) {
  const auto kernel = kernel_of_entries(host, tables);
  const auto found = std::find_if(tables.cpus.begin(), tables.cpus.end(), [&](const CpuEntry& entry) {
    return entry.about.applies_to(kernel) && entry.vendor == host.cpu_vendor && host.cpu_family >= entry.since_family;
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
  return bridge.entry->is_vouched_for && bridge.unlisted == nullptr ? Forwarding::yes : Forwarding::not_listed;
}

Tristate by_the_list(Forwarding forwarding) {
  switch (forwarding) {
    case Forwarding::yes: return Tristate::yes;
    case Forwarding::same_bridge_only: return Tristate::no;
    case Forwarding::not_listed:
    case Forwarding::unknown: break;
  }
  return Tristate::unknown;
}

// What goes from one host bridge to the other must get through both. Of list and entries the more careful one counts, unless
// an operator answers for both entries; where the list knows nothing, two that say yes count.
Tristate decide(Tristate listed, const RootComplexEntry* a, const RootComplexEntry* b, Tristate RootComplexEntry::* kind) {
  const bool are_both_yes = a != nullptr && b != nullptr && a->*kind == Tristate::yes && b->*kind == Tristate::yes;
  const bool are_unsafe = a != nullptr && b != nullptr && a->about.is_unsafe && b->about.is_unsafe;
  if (are_both_yes && (are_unsafe || listed == Tristate::unknown)) return Tristate::yes;
  auto answer = are_unsafe ? Tristate::yes : listed;
  for (const auto* entry : {a, b}) {
    if (entry == nullptr || entry->*kind == Tristate::yes) continue;
    if (answer != Tristate::no) answer = entry->*kind;
  }
  return answer;
}

void ask_platform(RootComplex& answer, const HostBridge& a, const HostBridge& b) {
  const bool is_one_domain = a.domain == b.domain;
  // The kernel's list does not know of domains: its yes is none between two of them. Two host bridges they are.
  auto listed = by_the_list(answer.forwarding);
  if (!is_one_domain && listed == Tristate::yes) listed = Tristate::unknown;
  answer.writes = decide(listed, a.known, b.known, &RootComplexEntry::writes);
  answer.reads = decide(listed, a.known, b.known, &RootComplexEntry::reads);
  answer.joins_domains =
      !is_one_domain && a.known != nullptr && b.known != nullptr && a.known->between_domains && b.known->between_domains;
  const auto follow = [&](const HostBridge& bridge, const About& about) {
    answer.host_bridge = bridge;
    answer.knows_better = &about;
  };
  for (const auto* bridge : {&a, &b}) {
    const auto* known = bridge->known;
    if (known == nullptr) continue;
    const bool is_other = answer.writes != listed || answer.reads != listed;
    if (is_other && (answer.knows_better == nullptr || known->writes != Tristate::yes || known->reads != Tristate::yes))
      follow(*bridge, known->about);
    if (known->about.is_unsafe) answer.is_unsafe = &known->about;
  }
  for (const auto* bridge : {&a, &b}) {
    if (bridge->closed == nullptr) continue;
    answer.writes = answer.reads = Tristate::no;
    follow(*bridge, bridge->closed->about);
  }
  if (answer.cpu != nullptr && answer.cpu->about.is_unsafe) answer.is_unsafe = &answer.cpu->about;
  for (const auto* entry : {a.entry, b.entry})
    if (answer.cpu == nullptr && entry != nullptr && entry->about.is_unsafe) answer.is_unsafe = &entry->about;
}

}  // namespace

HostBridge host_bridge_above(const Machine& machine, const PlatformTables& tables, unsigned kernel, const Function& topmost) {
  // The first device of the root bus. The kernel goes by the order of discovery; the lowest device number is the same but
  // for devices that were plugged into a root bus later.
  const auto* first = machine.first_on_bus(topmost.root_domain, topmost.root_bus);
  HostBridge bridge{.domain = topmost.root_domain, .bus = topmost.root_bus, .known_by = first, .key = key_of(first)};
  const auto running = kernel_of_entries(machine.host(), tables);
  if (first != nullptr) bridge.known = find_root_complex(tables, running, *first);
  const auto* isolated = find_isolated_port(tables, running, topmost);
  if (isolated != nullptr && isolated->has_no_peers) bridge.closed = isolated;
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
  answer.host_bridge = a;
  if (answer.cpu != nullptr) {
    answer.forwarding = Forwarding::yes;
  } else {
    const bool is_same_bridge = a.domain == b.domain && a.bus == b.bus;
    answer.forwarding = below(a, is_same_bridge);
    if (answer.forwarding == Forwarding::yes) {
      answer.host_bridge = b;
      answer.forwarding = below(b, is_same_bridge);
    }
    if (answer.forwarding == Forwarding::not_listed && !answer.is_cpu_known) answer.forwarding = Forwarding::unknown;
  }
  ask_platform(answer, a, b);
  return answer;
}

std::string RootComplex::where() const {
  if (cpu != nullptr && knows_better == nullptr) return "";
  if (host_bridge.known_by == nullptr) return fmt::format("pci{:04x}:{:02x}", host_bridge.domain, host_bridge.bus);
  return host_bridge.known_by->address.to_string();
}

std::string RootComplex::reason() const {
  if (knows_better != nullptr) return fmt::format("{}: {} ({})", knows_better->what, knows_better->source, knows_better->place);
  if (cpu != nullptr) return cpu->about.what + " forwards between any two";
  if (host_bridge.known_by == nullptr) return "no function is on this root bus";
  const auto name = fmt::format("host bridge {:04x}:{:04x}", host_bridge.known_by->vendor, host_bridge.known_by->device);
  if (host_bridge.key == HostBridge::Key::unread) return name + ": its port type could not be read";
  if (host_bridge.unlisted != nullptr && forwarding == Forwarding::not_listed)
    return fmt::format("{} is the processor's, and {} is a port of its chipset, or of a VMD, which is in no list", name,
                       host_bridge.unlisted->address.to_string());
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
