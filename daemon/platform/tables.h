// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Platform knowledge: what the hardware does not say about itself and the kernel keeps in lists.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/function.h"
#include "model/machine.h"

namespace p2pd {

// An entry of p2pdma.c's pci_p2pdma_whitelist[].
struct HostBridgeEntry {
  std::uint16_t vendor = 0;
  std::optional<std::uint16_t> device;  // nothing = any device of the vendor
  bool same_bridge_only = false;        // REQ_SAME_HOST_BRIDGE
  // First and last kernel that carries it, major * 1000 + minor. First 0 = 6.1, the oldest that was read, or before it;
  // last 0 = still there.
  unsigned since = 0;
  unsigned until = 0;
  std::string what;
};

// CPUs whose root complexes forward between any two root ports: p2pdma.c cpu_supports_p2pdma().
struct CpuEntry {
  std::string vendor;         // CPUID vendor
  unsigned since_family = 0;  // display family
  std::string what;
};

struct PlatformTables {
  std::vector<HostBridgeEntry> host_bridges;
  std::vector<CpuEntry> cpus;
  // The newest kernel that the tables were made from, major * 1000 + minor.
  unsigned newest_kernel = 0;
};

// The tables that are built in.
[[nodiscard]] const PlatformTables& builtin_tables();

}  // namespace p2pd
