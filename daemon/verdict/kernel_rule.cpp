// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/kernel_rule.h"

#include <fmt/format.h>

#include "platform/kernel_release.h"

namespace p2pd {

namespace {

// ACS is a thing of PCI Express; a conventional function has none, whatever could be read of it.
bool is_conventional(const Function& function) {
  return function.port_type == PortType::conventional || function.port_type == PortType::pcie_to_pci_bridge;
}

unsigned choose_table(const HostFacts& host, const PlatformTables& tables, std::vector<std::string>& notes) {
  const auto newest = kernel_name(tables.newest_kernel);
  const auto running = parse_kernel_release(host.kernel_release);
  if (!running) {
    notes.push_back(fmt::format("kernel-release-unknown: judged by the table of kernel {}", newest));
    return tables.newest_kernel;
  }
  if (*running > tables.newest_kernel) {
    notes.push_back(
        fmt::format("rule-newer-kernel: kernel {} is newer than our newest table ({})", kernel_name(*running), newest));
    return tables.newest_kernel;
  }
  return *running;
}

KernelRule::MapType through_root(Forwarding forwarding) {
  switch (forwarding) {
    case Forwarding::yes: return KernelRule::MapType::through_host_bridge;
    case Forwarding::same_bridge_only:
    case Forwarding::not_listed: return KernelRule::MapType::not_supported;
    case Forwarding::unknown: break;
  }
  return KernelRule::MapType::unknown;
}

}  // namespace

KernelFinding apply_kernel_rule(const Machine& machine, const PlatformTables& tables, const Function& initiator,
                                const Function& target, const Path& path) {
  KernelFinding finding;
  const auto kernel = choose_table(machine.host(), tables, finding.notes);
  finding.rule.present = machine.host().kernel_p2pdma;
  finding.rule.distance = path.distance;
  finding.rule.table = kernel_name(kernel);

  if (path.common) {
    const auto test = [&](const Address& address) {
      const auto* node = machine.find(address);
      if (node == nullptr || is_conventional(*node)) return;
      if (node->acs.state == Acs::State::unknown) finding.unread.push_back(node);
      if (node->acs.redirects()) finding.redirecting.push_back(node);
    };
    // In the kernel's order: the target's side with the common one, tested before it is compared, then the initiator's.
    for (const auto& address : path.target_arm) test(address);
    test(*path.common);
    for (const auto& address : path.initiator_arm) test(address);

    if (finding.redirecting.empty()) {
      finding.rule.map_type = finding.unread.empty() ? KernelRule::MapType::bus_address : KernelRule::MapType::unknown;
      return finding;
    }
  }
  finding.root_complex = root_complex_between(machine, tables, kernel, initiator, target);
  finding.rule.map_type = through_root(finding.root_complex.forwarding);
  return finding;
}

}  // namespace p2pd
