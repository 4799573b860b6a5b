// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/kernel_rule.h"

#include <fmt/format.h>

#include <algorithm>

#include "platform/kernel_release.h"
#include "platform/ports.h"
#include "topology/acs.h"

namespace p2pd {

namespace {

constexpr unsigned oldest_kernel = 6001;  // that the tables were made from

bool redirects(const Function& function) { return !has_no_acs(function) && function.acs_by_standard().redirects(); }

bool is_acs_unread(const Function& function) {
  return !has_no_acs(function) && function.acs_by_standard().state == Acs::State::unknown;
}

// vmd.c gives its domains numbers that no firmware can.
bool is_in_domain_of_a_vmd(const Function& function) {
  constexpr std::uint32_t last_of_firmware = 0xffff;
  return function.requester.has_value() || function.address.domain > last_of_firmware;
}

bool says_yes(const RootComplexEntry& entry) { return entry.writes == Tristate::yes || entry.reads == Tristate::yes; }

// In the kernel's order: the target's side with the common one, tested before it is compared, then the initiator's.
template <class Visit>
void visit_in_order(const Path& path, const Visit& visit) {
  for (const auto* function : path.target_arm) visit(*function);
  if (path.common != nullptr) visit(*path.common);
  for (const auto* function : path.initiator_arm) visit(*function);
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

Place place_of(const Machine& machine, const PlatformTables& tables, unsigned kernel, const Function& function) {
  const auto* physical = function.physical_function ? machine.find(*function.physical_function) : nullptr;
  auto way = way_up(machine, function);
  const auto& topmost = *way.back();
  auto known_as = host_bridge_above(machine, tables, tables.newest_kernel, topmost);
  // The list vouches for root ports of a processor. Those of its chipset are beside them on one bus, with DMI between, and those
  // of a VMD look like them, with the VMD between.
  if (is_in_domain_of_a_vmd(topmost)) {
    known_as.entry = nullptr;
    known_as.unlisted = &topmost;
    // So does who tried the processor's own; who speaks of other domains means those of a VMD too.
    if (known_as.known != nullptr && !known_as.known->between_domains && says_yes(*known_as.known)) known_as.known = nullptr;
  } else if (find_chipset_port(tables, kernel_of_entries(machine.host(), tables), topmost) != nullptr) {
    known_as.unlisted = &topmost;
  }
  return {.function = &function,
          .way = std::move(way),
          .host_bridge = host_bridge_above(machine, tables, kernel, topmost),
          .known_as = known_as,
          .max_payload =
              function.physical_function ? (physical != nullptr ? physical->max_payload : std::nullopt) : function.max_payload};
}

unsigned choose_table(const HostFacts& host, const PlatformTables& tables) {
  return std::min(parse_kernel_release(host.kernel_release).value_or(tables.newest_kernel), tables.newest_kernel);
}

std::vector<std::string> notes_about_table(const HostFacts& host, const PlatformTables& tables) {
  const auto newest = kernel_name(tables.newest_kernel);
  const auto running = parse_kernel_release(host.kernel_release);
  if (!running) return {fmt::format("kernel-release-unknown: judged by the table of kernel {}", newest)};
  if (*running < oldest_kernel)
    return {fmt::format("rule-older-kernel: kernel {} is older than our oldest table ({})", kernel_name(*running),
                        kernel_name(oldest_kernel))};
  if (*running <= tables.newest_kernel) return {};
  return {fmt::format("rule-newer-kernel: kernel {} is newer than our newest table ({})", kernel_name(*running), newest)};
}

std::vector<const Function*> redirecting(const Path& path) {
  std::vector<const Function*> found;
  visit_in_order(path, [&](const Function& function) {
    if (redirects(function)) found.push_back(&function);
  });
  return found;
}

bool would_share_group(const Path& path) {
  if (path.common == nullptr || path.initiator_arm.empty() || path.target_arm.empty()) return false;
  // Beside each other on a conventional bus all speak with the requester ID of the bridge.
  if (has_no_acs(*path.common)) return true;
  // Functions of one device, unless each keeps from the other; ports that keep nothing apart.
  constexpr std::uint16_t redirects = Acs::request_redirect | Acs::completion_redirect;
  const auto is_apart = [](const Function& function) { return (function.acs.control & redirects) == redirects; };
  const bool is_one_device = is_port(*path.common) || path.common->port_type == PortType::pci_to_pcie_bridge;
  if (is_one_device && !(is_apart(*path.initiator_arm.back()) && is_apart(*path.target_arm.back()))) return true;
  return std::any_of(path.shared.begin(), path.shared.end(),
                     [](const Function* shared) { return is_port(*shared) && shared->acs.state == Acs::State::absent; });
}

KernelRule::MapType apply_kernel_rule(const HostFacts& host, const PlatformTables& tables, const Place& initiator,
                                      const Place& target, const Path& path) {
  if (path.common != nullptr) {
    // Without a common bridge the kernel does not ask.
    bool is_redirected = false;
    bool is_unread = false;
    visit_in_order(path, [&](const Function& function) {
      is_redirected |= redirects(function);
      is_unread |= is_acs_unread(function);
    });
    if (!is_redirected) return is_unread ? KernelRule::MapType::unknown : KernelRule::MapType::bus_address;
  }
  return through_root(root_complex_between(host, tables, initiator.host_bridge, target.host_bridge).forwarding);
}

}  // namespace p2pd
