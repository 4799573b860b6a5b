// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/kernel_rule.h"

#include <fmt/format.h>

#include <algorithm>

#include "platform/kernel_release.h"

namespace p2pd {

namespace {

// ACS is a thing of PCI Express; a conventional function has none, whatever could be read of it.
bool is_conventional(const Function& function) {
  return function.port_type == PortType::conventional || function.port_type == PortType::pcie_to_pci_bridge;
}

bool redirects(const Function& function) { return !is_conventional(function) && function.acs_by_standard().redirects(); }

bool is_acs_unread(const Function& function) {
  return !is_conventional(function) && function.acs_by_standard().state == Acs::State::unknown;
}

// In the kernel's order: the target's side with the common one, tested before it is compared, then the initiator's.
template <class Visit>
void visit_in_order(const Path& path, const Visit& visit) {
  for (const auto* function : path.target_arm) visit(*function);
  if (path.common != nullptr) visit(*path.common);
  for (const auto* function : path.initiator_arm) visit(*function);
}

std::vector<const Function*> those_of(const Path& path, bool (*test)(const Function&)) {
  std::vector<const Function*> found;
  visit_in_order(path, [&](const Function& function) {
    if (test(function)) found.push_back(&function);
  });
  return found;
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

unsigned choose_table(const HostFacts& host, const PlatformTables& tables) {
  return std::min(parse_kernel_release(host.kernel_release).value_or(tables.newest_kernel), tables.newest_kernel);
}

std::vector<std::string> notes_about_table(const HostFacts& host, const PlatformTables& tables) {
  const auto newest = kernel_name(tables.newest_kernel);
  const auto running = parse_kernel_release(host.kernel_release);
  if (!running) return {fmt::format("kernel-release-unknown: judged by the table of kernel {}", newest)};
  if (*running <= tables.newest_kernel) return {};
  return {fmt::format("rule-newer-kernel: kernel {} is newer than our newest table ({})", kernel_name(*running), newest)};
}

std::vector<const Function*> redirecting(const Path& path) { return those_of(path, redirects); }
std::vector<const Function*> unread(const Path& path) { return those_of(path, is_acs_unread); }

KernelFinding apply_kernel_rule(const HostFacts& host, const PlatformTables& tables, const Place& initiator, const Place& target,
                                const Path& path) {
  KernelFinding finding;
  if (path.common != nullptr) {
    visit_in_order(path, [&](const Function& function) {
      finding.is_redirected |= redirects(function);
      finding.is_unread |= is_acs_unread(function);
    });
    if (!finding.is_redirected) {
      finding.map_type = finding.is_unread ? KernelRule::MapType::unknown : KernelRule::MapType::bus_address;
      return finding;
    }
  }
  finding.root_complex = root_complex_between(host, tables, initiator.host_bridge, target.host_bridge);
  finding.map_type = through_root(finding.root_complex.forwarding);
  return finding;
}

}  // namespace p2pd
