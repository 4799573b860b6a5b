// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One PCI function as p2pd shows it. Nothing is guessed: what was not read is empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "p2pclient/units.h"

namespace p2pclient {

struct Bar {
  unsigned index = 0;  // 0..5
  std::optional<CpuAddress> cpu_address;
  std::optional<BusAddress> bus_address;
  std::optional<std::uint64_t> size;  // bytes
  bool is_memory = true;              // else I/O ports
  bool is_64bit = false;
  bool is_prefetchable = false;
  bool is_assigned = false;         // has an address
  std::string target = "disabled";  // for peers: disabled, opening, enabled, partial (parts of it: Device::targets), disabling

  bool operator==(const Bar&) const = default;
};

struct Link {
  std::uint32_t speed_mts = 0;  // MT/s: 2500, 5000, 8000 …; 0 = not known
  std::uint32_t width = 0;      // lanes
  std::uint32_t max_speed_mts = 0;
  std::uint32_t max_width = 0;
  bool operator==(const Link&) const = default;
};

// A BAR, or a part of one, that an operator enabled for peers.
struct Target {
  std::string name;  // ADDRESS:BAR[:OFFSET+LENGTH]
  bool exclusive = true;
  std::string access;  // r, w, rw; "" = what each mapping asks for
  std::string state;   // opening, enabled, disabling
  bool operator==(const Target&) const = default;
};

// Access Control Services, PCIe 6.0 §7.7.11.
struct Acs {
  std::string state = "unknown";  // unknown (could not be read), absent, present
  std::uint16_t capability = 0;
  std::uint16_t control = 0;
  bool operator==(const Acs&) const = default;
};

struct Device {
  std::string address;  // dddd:bb:dd.f

  std::uint16_t vendor = 0;
  std::uint16_t device = 0;
  std::uint16_t subsystem_vendor = 0;
  std::uint16_t subsystem_device = 0;
  std::uint32_t class_code = 0;  // 24 bits
  std::uint8_t revision = 0;
  std::string vendor_name;  // "" when the id is in no list
  std::string device_name;
  std::string class_name;

  std::string driver;  // "" = none, or not known
  std::optional<int> numa_node;
  std::optional<std::uint32_t> iommu_group;
  std::string parent;             // address of the bridge above; "" on a root bus
  std::string physical_function;  // of a VF
  std::vector<std::string> virtual_functions;
  std::string port_type;  // endpoint, root-port, switch-upstream, …
  bool is_bridge = false;
  std::optional<Link> link;
  std::optional<std::uint16_t> max_payload;  // bytes in a packet, Max Payload Size; of a VF its PF's counts
  Acs acs;
  std::vector<Bar> bars;  // those that exist, by index
  std::vector<Target> targets;

  std::optional<bool> memory_decode;
  std::optional<bool> bus_master;
  std::optional<bool> ats_enabled;
  std::string power_state = "unknown";  // D0 … D3cold

  bool is_offered = false;  // an operator lends it to clients
  std::string offer_group;  // "" = not limited to a group

  bool operator==(const Device&) const = default;
};

}  // namespace p2pclient
