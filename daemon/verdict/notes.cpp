// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/notes.h"

#include <fmt/format.h>

#include "platform/ports.h"
#include "topology/link.h"

namespace p2pd {

namespace {

// What the route would be called if the kernel's rule were right.
std::optional<Route> route_of(KernelRule::MapType map_type) {
  switch (map_type) {
    case KernelRule::MapType::bus_address: return Route::switched;
    case KernelRule::MapType::through_host_bridge: return Route::root_complex;
    case KernelRule::MapType::not_supported: return Route::none;
    case KernelRule::MapType::unknown: break;
  }
  return std::nullopt;
}

void note_difference(const PathQuestion& question, const KernelRule& kernel, std::vector<std::string>& notes) {
  const auto kernels = route_of(kernel.map_type);
  const bool is_judged = question.route != Route::local && question.machine.host().virtualization == "none";
  if (!is_judged || !kernels || *kernels == question.route) return;
  notes.push_back(fmt::format("rules-differ: the kernel's rule says {}, the route rule {}; the route rule decides",
                              to_string(kernel.map_type), to_string(question.route)));
}

void note_bandwidth(const PathQuestion& question, std::vector<std::string>& notes) {
  std::uint32_t least = 0;
  std::string where;
  const auto look_at = [&](std::span<const Function* const> side) {
    for (std::size_t i = 0; i < side.size(); ++i) {
      const auto* above = i + 1 < side.size() ? side[i + 1] : nullptr;
      const auto link = above != nullptr ? link_between(*side[i], *above) : std::nullopt;
      const auto megabits = link ? megabits_per_second(link->speed_mts, link->width) : 0;
      if (megabits == 0 || (least != 0 && megabits >= least)) continue;
      least = megabits;
      where = fmt::format("{} - {}, {}", above->address.to_string(), side[i]->address.to_string(),
                          link_name(link->speed_mts, link->width));
    }
  };
  look_at(question.initiator_side());
  look_at(question.target_side());
  if (least != 0)
    notes.push_back(
        fmt::format("path-bandwidth: at most {}.{:02} GB/s each way, by the link {}", least / 8000, least % 8000 / 80, where));
}

// AtomicOps need the routing of every port between, PCIe 6.0 §6.15.
void note_atomics(const PathQuestion& question, std::vector<std::string>& notes) {
  const auto& initiator = *question.initiator.function;
  const auto& target = *question.target.function;
  if (!initiator.atomic_ops || !target.atomic_ops) return;
  std::vector<std::string> missing;
  if (!initiator.atomic_ops->is_requester) missing.push_back(initiator.address.to_string() + " must not send them");
  if (!target.atomic_ops->completes) missing.push_back(target.address.to_string() + " completes none");
  const auto look_at = [&](std::span<const Function* const> side) {
    for (std::size_t i = 1; i < side.size(); ++i) {
      const auto& port = *side[i];
      if (!port.atomic_ops || !port.atomic_ops->routes) missing.push_back(port.address.to_string() + " does not route them");
      if (port.atomic_ops && port.atomic_ops->is_egress_blocked) missing.push_back(port.address.to_string() + " blocks them");
    }
  };
  look_at(question.initiator_side());
  look_at(question.target_side());
  notes.push_back("atomics: " + (missing.empty() ? "they get there" : fmt::format("they do not get there: {}", missing.front())));
}

}  // namespace

void note_unsafe(const About& about, std::vector<std::string>& notes) {
  notes.push_back(fmt::format("unsafe-platform-entry: {} ({})", about.what, about.place));
}

void note_ports(const PathQuestion& question, const PlatformTables& tables, std::vector<std::string>& notes) {
  const auto kernel = kernel_of_entries(question.machine.host(), tables);
  const auto note = [&](const Function& function, const About& about, std::string_view what) {
    if (about.is_unsafe) return note_unsafe(about, notes);
    notes.push_back(fmt::format("platform-port: {} {}: {} ({})", function.address.to_string(), what, about.what, about.place));
  };
  const auto look_at = [&](const Function& function) {
    const auto found = find_port(tables, kernel, function);
    if (found.isolated != nullptr) note(function, found.isolated->about, "isolates, whatever its ACS says");
    if (found.chipset != nullptr) note(function, found.chipset->about, "has its ACS control at another place");
  };
  // Where the paths part, and what both share; an operator's entry counts wherever it is, because it changes reach sets too.
  const auto& path = question.path;
  for (const auto& arm : {path.initiator_arm, path.target_arm}) {
    for (const auto* function : arm) {
      const auto found = find_port(tables, kernel, *function);
      const bool is_unsafe = (found.isolated != nullptr && found.isolated->about.is_unsafe) ||
                             (found.chipset != nullptr && found.chipset->about.is_unsafe);
      if (is_unsafe || function == arm.back()) look_at(*function);
    }
  }
  for (const auto* function : path.shared) look_at(*function);
}

void note_path(const PathQuestion& question, const KernelRule& kernel, std::vector<std::string>& notes) {
  note_difference(question, kernel, notes);
  const auto& initiator = *question.initiator.function;
  if (initiator.iommu_type == "identity")
    notes.push_back(
        fmt::format("iommu-identity: {} is in an identity domain: that concerns its kernel driver only, VFIO attaches "
                    "a domain of its own",
                    initiator.address.to_string()));
  if (question.route != Route::switched && question.route != Route::root_complex) return;
  note_bandwidth(question, notes);
  note_atomics(question, notes);
}

}  // namespace p2pd
