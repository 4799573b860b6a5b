// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Platform knowledge: what the hardware does not say about itself, as the files in platform.d tell it (docs/platform.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/function.h"
#include "model/machine.h"
#include "platform/peers.h"

namespace p2pd {

// What every entry says about itself.
struct About {
  std::string what;        // the hardware, for people
  std::string source;      // who says so
  std::string place;       // FILE:LINE
  bool is_unsafe = false;  // an operator's, who answers for it
  // First and last kernel that it is true for, major * 1000 + minor. First 0 = 6.1, the oldest that was read, or before it;
  // last 0 = still.
  unsigned since = 0;
  unsigned until = 0;

  [[nodiscard]] bool applies_to(unsigned kernel) const { return since <= kernel && (until == 0 || kernel <= until); }
  bool operator==(const About&) const = default;
};

// Devices of one vendor.
struct IdRange {
  std::uint16_t vendor = 0;
  std::uint16_t first = 0;
  std::uint16_t last = 0xffff;

  [[nodiscard]] bool contains(const Function& function) const {
    return function.vendor == vendor && first <= function.device && function.device <= last;
  }
  bool operator==(const IdRange&) const = default;
};

// An entry of p2pdma.c's pci_p2pdma_whitelist[]: known by the first function of the root bus.
struct HostBridgeEntry {
  IdRange id;
  bool same_bridge_only = false;  // REQ_SAME_HOST_BRIDGE
  // False: its file was masked, and what remains of it is that it does not forward between two host bridges.
  bool is_vouched_for = true;
  About about;

  bool operator==(const HostBridgeEntry&) const = default;
};

// CPUs whose root complexes forward between any two root ports: p2pdma.c cpu_supports_p2pdma().
struct CpuEntry {
  std::string vendor;         // CPUID vendor
  unsigned since_family = 0;  // display family
  About about;

  bool operator==(const CpuEntry&) const = default;
};

// Functions by ids and kind.
struct Which {
  std::vector<IdRange> ids;
  std::vector<PortType> port_types;  // none = any

  [[nodiscard]] bool contains(const Function& function) const;
  bool operator==(const Which&) const = default;
};

// Sends every peer request up although no ACS says so: quirks.c pci_dev_acs_enabled[].
struct IsolatedPort {
  Which which;
  bool has_no_peers = false;  // what goes up at this root port comes down at no other
  About about;

  bool operator==(const IsolatedPort&) const = default;
};

// A root port that is not the processor's but its chipset's: what the lists say of the processor is not said of it.
struct ChipsetPort {
  Which which;
  // Not 6, as the standard has it: ACS is in two dwords instead of two words, quirks.c pci_quirk_intel_spt_pch_acs().
  unsigned acs_control_offset = 6;
  About about;

  bool operator==(const ChipsetPort&) const = default;
};

// What a root complex does with peer requests, known by the first function of its root bus.
struct RootComplexEntry {
  std::vector<IdRange> host_bridges;
  Tristate writes = Tristate::unknown;
  Tristate reads = Tristate::unknown;
  bool between_domains = false;  // so too between its PCI domains: it translates requester IDs, or keeps them apart
  About about;

  bool operator==(const RootComplexEntry&) const = default;
};

// How far the DMA engine of a device reaches.
struct InitiatorEntry {
  Which which;
  unsigned address_bits = 64;
  About about;

  bool operator==(const InitiatorEntry&) const = default;
};

struct PlatformTables {
  std::vector<HostBridgeEntry> host_bridges;
  std::vector<CpuEntry> cpus;
  std::vector<IsolatedPort> isolated_ports;
  std::vector<ChipsetPort> chipset_ports;
  std::vector<RootComplexEntry> root_complexes;
  std::vector<InitiatorEntry> initiators;
  // The newest kernel that the host bridges were taken from, major * 1000 + minor.
  unsigned newest_kernel = 0;
  // Who reaches whom, as hypervisor and operator describe it.
  std::vector<PeersTable> peers;
  // Files of operators that mask all of a shipped one, what says no in there too.
  std::vector<std::string> unsafe_masks;

  bool operator==(const PlatformTables&) const = default;
};

// The ACS of a function as it works. Differs from what the standard reads for isolated and for chipset ports only.
struct PortFinding {
  Acs acs;
  const IsolatedPort* isolated = nullptr;
  const ChipsetPort* chipset = nullptr;  // that has its control at another place
};
[[nodiscard]] const IsolatedPort* find_isolated_port(const PlatformTables& tables, unsigned kernel, const Function& function);
[[nodiscard]] const ChipsetPort* find_chipset_port(const PlatformTables& tables, unsigned kernel, const Function& function);
[[nodiscard]] PortFinding find_port(const PlatformTables& tables, unsigned kernel, const Function& function);

// The entry that decides how far an initiator reaches: the narrowest, unless an unsafe one says otherwise; null: none.
[[nodiscard]] const InitiatorEntry* find_initiator(const PlatformTables& tables, unsigned kernel, const Function& function);

// 64 where there is none.
[[nodiscard]] unsigned address_bits_of(const PlatformTables& tables, unsigned kernel, const Function& function);

// The entry that decides what the root complex below whose root bus `first` is the first function does: the most careful,
// unless an unsafe one says otherwise; null: none.
[[nodiscard]] const RootComplexEntry* find_root_complex(const PlatformTables& tables, unsigned kernel, const Function& first);

// What must not be lost when a file is masked: everything that says no, or less.
[[nodiscard]] PlatformTables careful_part(PlatformTables tables);

// Adds `more` behind what `tables` has.
void append(PlatformTables& tables, PlatformTables more);

}  // namespace p2pd
