// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One PCI function as a value: what sources read, what rules judge. No field is guessed: what was not read is empty.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/address.h"
#include "model/units.h"

namespace p2pd {

struct Bar {
  std::uint8_t index = 0;                 // 0..5
  std::optional<CpuAddress> cpu_address;  // sysfs `resource`; a dump does not tell
  std::optional<BusAddress> bus_address;  // the BAR register
  Bytes size;                             // 0 = not known (a dump that has no sizes)
  bool is_memory = true;                  // else I/O ports
  bool is_64bit = false;
  bool is_prefetchable = false;
  bool is_assigned = false;  // has an address that the hardware decodes once enabled

  bool operator==(const Bar&) const = default;
};

// PCIe Device/Port Type, PCIe 6.0 §7.5.3.2; conventional functions have none.
enum class PortType : std::uint8_t {
  conventional,
  endpoint,
  legacy_endpoint,
  root_port,
  switch_upstream,
  switch_downstream,
  pcie_to_pci_bridge,
  pci_to_pcie_bridge,
  root_complex_endpoint,
  root_complex_event_collector,
  unknown,  // the capability list could not be read
};

// Access Control Services, PCIe 6.0 §7.7.11. Bits of the capability and the control word.
struct Acs {
  enum Bit : std::uint16_t {
    source_validation = 0x01,
    translation_blocking = 0x02,
    request_redirect = 0x04,
    completion_redirect = 0x08,
    upstream_forwarding = 0x10,
    egress_control = 0x20,
    direct_translated = 0x40,
  };
  // unknown: extended config space could not be read (no CAP_SYS_ADMIN, a dump of 64 bytes). Never "absent".
  enum class State : std::uint8_t { unknown, absent, present };

  State state = State::unknown;
  std::uint16_t capability = 0;
  std::uint16_t control = 0;
  // What follows the control word, where it may be a chipset port's control; nothing: it was not read.
  std::optional<std::uint32_t> next_dword = {};  // NOLINT(readability-redundant-member-init): gcc wants it said
  // Egress Control Vector, PCIe 6.0 §7.7.11.4: a bit for each port number (of ports) or function number (within a device).
  // Read only where Egress Control is on; empty: not read.
  std::vector<std::uint32_t> egress = {};  // NOLINT(readability-redundant-member-init): gcc wants it said

  bool operator==(const Acs&) const = default;
  // Bits that its vector has; the register says 0 for 256.
  [[nodiscard]] unsigned egress_size() const { return (capability >> 8) != 0 ? capability >> 8 : 256; }
  // Nothing: not read, or not in the vector.
  [[nodiscard]] std::optional<bool> egress_bit(unsigned number) const {
    if (number >= egress_size() || number / 32 >= egress.size()) return std::nullopt;
    return (egress[number / 32] >> (number % 32) & 1) != 0;
  }
  // What p2pdma calls a redirect: p2pdma.c pci_bridge_has_acs_redir().
  [[nodiscard]] bool redirects() const {
    return state == State::present && (control & (request_redirect | completion_redirect | egress_control)) != 0;
  }
};

struct Link {
  // Transfer rate in MT/s (2500, 5000, 8000 …) and lanes; 0 = not known or no link.
  std::uint32_t speed_mts = 0;
  std::uint8_t width = 0;
  std::uint32_t max_speed_mts = 0;
  std::uint8_t max_width = 0;
  bool operator==(const Link&) const = default;
};

// AtomicOps, PCIe 6.0 §6.15: what Device Capabilities 2 and Device Control 2 say about them.
struct AtomicOps {
  bool routes = false;        // ports: between their sides
  bool completes = false;     // as a target: of 32 or 64 bits
  bool is_requester = false;  // may send them
  bool is_egress_blocked = false;
  bool operator==(const AtomicOps&) const = default;
};

// What a bridge forwards downstream. Bus addresses.
struct BridgeWindows {
  std::uint8_t secondary_bus = 0;
  std::uint8_t subordinate_bus = 0;
  std::optional<Range<BusAddress>> memory;
  std::optional<Range<BusAddress>> prefetchable;
  bool operator==(const BridgeWindows&) const = default;
};

enum class PowerState : std::uint8_t { unknown, d0, d1, d2, d3hot, d3cold };

// Pages of a BAR that no client may ever get: the MSI-X table and the pending bit array, PCIe 6.0 §7.7.2.
struct MsixLocation {
  std::uint8_t table_bar = 0;
  Bytes table_offset;
  Bytes table_length;
  std::uint8_t pba_bar = 0;
  Bytes pba_offset;
  Bytes pba_length;
  bool operator==(const MsixLocation&) const = default;
};

struct ReservedRegion {
  Range<Iova> range;
  std::string type;  // as the kernel names it: direct, direct-relaxable, reserved, msi
  bool operator==(const ReservedRegion&) const = default;
};

// Memory that the function's driver registered with p2pdma and the kernel lends: sysfs `p2pmem`, Documentation/ABI/testing/
// sysfs-bus-pci. An NVMe controller memory buffer is such.
struct PeerMemory {
  Bytes size;
  bool is_published = false;  // drivers that ask for memory of any device may be given it
  // Tells this pool from the one that the driver registers when it is bound anew: the inode of `p2pmem/allocate`, which kernfs
  // gives to no other file until the next boot. Nothing: Linux before 6.2, which lends to no program.
  std::optional<std::uint64_t> pool;
  bool operator==(const PeerMemory&) const = default;
};

struct Function {
  Address address;

  std::uint16_t vendor = 0;
  std::uint16_t device = 0;
  std::uint16_t subsystem_vendor = 0;
  std::uint16_t subsystem_device = 0;
  std::uint8_t revision = 0;
  std::uint32_t class_code = 0;  // 24 bits: class, subclass, interface
  std::string vendor_name;       // "" when the id is in no list
  std::string device_name;
  std::string class_name;

  std::string driver;            // "" = none bound (live) or not told (dump)
  std::string driver_override;   // "" = none, or without a driver
  std::optional<int> numa_node;  // nothing when the kernel says -1
  std::optional<std::uint32_t> iommu_group;
  std::optional<std::string> iommu_type;  // of the group: DMA, DMA-FQ, identity, …
  std::optional<bool> is_without_iommu;   // its group is one of VFIO's no-IOMMU mode; nothing: not told
  std::vector<ReservedRegion> reserved_regions;
  bool has_unread_regions = false;  // there may be more

  std::vector<Bar> bars;  // only those that exist, by index
  std::optional<MsixLocation> msix;
  std::optional<PeerMemory> peer_memory;  // nothing: none, or not told (a dump)
  PortType port_type = PortType::unknown;
  bool is_multifunction = false;
  Link link;
  std::optional<Address> parent;             // the bridge above; nothing for functions of a root bus
  std::optional<BridgeWindows> bridge;       // bridges only
  std::optional<Address> physical_function;  // of a VF
  std::vector<Address> virtual_functions;    // of a PF: those that the picture has
  bool has_vfs_enabled = false;              // of a PF: as its SR-IOV control says

  // A capability list breaks off, or reads all ones: what was not found in it may be there all the same.
  bool has_unread_capabilities = false;
  Acs acs;  // as it works
  // As the standard has it, and p2pdma reads it, where platform.d knows that it works otherwise, or is elsewhere: there no
  // write to the standard's place changes it. Nothing: the same.
  std::optional<Acs> standard_acs;
  std::optional<std::uint8_t> port_number;   // of ports: Link Capabilities; Egress Control counts by it
  std::optional<std::uint16_t> max_payload;  // bytes that a packet may carry, as Device Control has it now; PCI Express only
  std::optional<AtomicOps> atomic_ops;       // nothing: not read, or PCI Express 1
  // 10-bit tags of requests that want an answer. Of a VF its PF says whether it sends them. Nothing: not read, or conventional.
  std::optional<bool> sends_ten_bit_tags;
  std::optional<bool> completes_ten_bit_tags;
  std::optional<bool> memory_decode;  // command register bit 1; nothing when it was not read
  std::optional<bool> bus_master;     // command register bit 2
  std::optional<bool> ats_enabled;
  bool has_ats = false;                // the capability is there
  std::optional<std::uint8_t> clique;  // of NVIDIA's P2P approval capability, which a hypervisor shows
  PowerState power_state = PowerState::unknown;
  bool is_runtime_suspended = false;

  // Root bus this function is below, as the kernel names it in /sys/devices/pciDDDD:BB.
  std::uint32_t root_domain = 0;
  std::uint8_t root_bus = 0;
  // With whose requester ID it speaks where that is not its own: the VMD's above its domain. A dump does not tell.
  std::optional<Address> requester;

  bool operator==(const Function&) const = default;

  [[nodiscard]] const Bar* find_bar(unsigned index) const;
  [[nodiscard]] const Acs& acs_by_standard() const { return standard_acs ? *standard_acs : acs; }
  // Whether it can send translated requests once VFIO has it; nothing: not known.
  [[nodiscard]] std::optional<bool> ats_once_lent() const;
  [[nodiscard]] bool is_bridge() const { return bridge.has_value(); }
  // The root complex itself, as a function: class 0600.
  [[nodiscard]] bool is_host_bridge() const { return class_code >> 8 == 0x0600; }
};

// What a bridge can be; others that forward are not understood.
[[nodiscard]] constexpr bool is_bridge_type(PortType type) {
  return type == PortType::conventional || type == PortType::root_port || type == PortType::switch_upstream ||
         type == PortType::switch_downstream || type == PortType::pcie_to_pci_bridge || type == PortType::pci_to_pcie_bridge;
}
[[nodiscard]] std::string to_string(PortType type);
[[nodiscard]] std::string to_string(PowerState state);

}  // namespace p2pd
