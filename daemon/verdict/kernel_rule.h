// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The kernel's decision, step by step as p2pdma.c calc_map_type_and_dist makes it, flaws included: every redirecting
// function of the path counts, endpoints and the common bridge too, whether or not the request turns there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/machine.h"
#include "platform/root_complex.h"
#include "platform/tables.h"
#include "topology/topology.h"
#include "verdict/verdict.h"

namespace p2pd {

// Whose host-bridge table judges this machine, major * 1000 + minor.
[[nodiscard]] unsigned choose_table(const HostFacts& host, const PlatformTables& tables);
// When it is not the running kernel's.
[[nodiscard]] std::vector<std::string> notes_about_table(const HostFacts& host, const PlatformTables& tables);

// One end of a path.
struct Place {
  const Function* function = nullptr;
  Way way;
  HostBridge host_bridge;                    // as the running kernel knows it
  HostBridge known_as;                       // as it really is: by the newest list, for hardware is not as old as its kernel
  std::optional<std::uint16_t> max_payload;  // of a VF its PF's (PCIe 6.0 §9.3.5.4)
};

[[nodiscard]] Place place_of(const Machine& machine, const PlatformTables& tables, unsigned kernel, const Function& function);

[[nodiscard]] KernelRule::MapType apply_kernel_rule(const HostFacts& host, const PlatformTables& tables, const Place& initiator,
                                                    const Place& target, const Path& path);

// Whether the kernel surely puts both ends into one IOMMU group, whatever ACS it switches on (iommu.c pci_device_group): for
// where a picture does not tell groups.
[[nodiscard]] bool would_share_group(const Path& path);

// Functions of the path with an ACS redirect, in the order in which the kernel tests them.
[[nodiscard]] std::vector<const Function*> redirecting(const Path& path);

}  // namespace p2pd
