// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The two capability lists, PCIe 6.0 §7.5.1.1.11 and §7.6.3. A list that loops, breaks off or leads into unreadable
// space is incomplete: what was not found in it is unknown.
#include <algorithm>
#include <array>
#include <bitset>

#include "sources/config_space.h"

namespace p2pd {

namespace {

enum Capability : std::uint16_t { power_management = 0x01, bridge_subsystem = 0x0d, pcie = 0x10, msix = 0x11 };
enum ExtendedCapability : std::uint16_t { acs = 0x000d, ats = 0x000f, sriov = 0x0010 };

struct CapabilityList {
  struct Entry {
    std::uint16_t id;
    unsigned offset;
  };
  std::vector<Entry> entries;
  bool is_complete = false;

  // The first one: Linux looks no further either (drivers/pci/pci.c __pci_find_next_cap_ttl()).
  [[nodiscard]] std::optional<unsigned> find(std::uint16_t id) const {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.id == id; });
    return found == entries.end() ? std::nullopt : std::optional(found->offset);
  }
};

CapabilityList read_capabilities(const ConfigSpace& space) {
  CapabilityList list;
  const auto status = space.read_dword(0x04);
  const auto header = space.read_dword(0x0c);
  if (!status || !header) return list;
  if ((*status & 0x100000) == 0) {  // Status bit 4: there is no list
    list.is_complete = true;
    return list;
  }
  const unsigned first = ((*header >> 16) & 0x7f) == 2 ? 0x14 : 0x34;  // CardBus bridges have it elsewhere
  auto pointer = space.read_dword(first);
  std::bitset<64> seen;
  unsigned offset = pointer ? *pointer & 0xfc : 0;
  while (pointer && offset >= 0x40) {
    if (seen.test(offset / 4)) return list;
    seen.set(offset / 4);
    pointer = space.read_dword(offset);
    if (!pointer || (*pointer & 0xff) == 0xff) return list;
    list.entries.push_back({static_cast<std::uint16_t>(*pointer & 0xff), offset});
    offset = (*pointer >> 8) & 0xfc;
  }
  list.is_complete = pointer && offset == 0;
  return list;
}

CapabilityList read_extended_capabilities(const ConfigSpace& space) {
  CapabilityList list;
  std::bitset<1024> seen;
  unsigned offset = 0x100;
  while (offset >= 0x100) {
    if (seen.test(offset / 4)) return list;
    seen.set(offset / 4);
    const auto header = space.read_dword(offset);
    // All ones: whatever is between here and the function does not forward extended requests.
    if (!header || *header == 0xffffffff) return list;
    if (*header != 0) list.entries.push_back({static_cast<std::uint16_t>(*header), offset});
    offset = (*header >> 20) & 0xffc;
  }
  list.is_complete = offset == 0;
  return list;
}

PortType port_type(std::uint32_t code) {
  switch (code) {  // PCIe 6.0 §7.5.3.2
    case 0x0: return PortType::endpoint;
    case 0x1: return PortType::legacy_endpoint;
    case 0x4: return PortType::root_port;
    case 0x5: return PortType::switch_upstream;
    case 0x6: return PortType::switch_downstream;
    case 0x7: return PortType::pcie_to_pci_bridge;
    case 0x8: return PortType::pci_to_pcie_bridge;
    case 0x9: return PortType::root_complex_endpoint;
    case 0xa: return PortType::root_complex_event_collector;
    default: return PortType::unknown;
  }
}

std::uint32_t speed_mts(std::uint32_t code) {
  constexpr std::array<std::uint32_t, 8> speeds = {0, 2500, 5000, 8000, 16000, 32000, 64000, 128000};
  return code < speeds.size() ? speeds[code] : 0;
}

std::uint8_t lanes(std::uint32_t register_value) { return static_cast<std::uint8_t>((register_value >> 4) & 0x3f); }

// Link Capabilities and Link Status, PCIe 6.0 §7.5.3.6 and §7.5.3.8.
Link decode_link(const ConfigSpace& space, unsigned offset) {
  Link link;
  if (const auto capabilities = space.read_dword(offset + 0x0c)) {
    link.max_speed_mts = speed_mts(*capabilities & 0xf);
    link.max_width = lanes(*capabilities);
  }
  const auto control_status = space.read_dword(offset + 0x10);
  const std::uint32_t status = control_status.value_or(0) >> 16;
  // Without lanes there is no link, whatever the speed field holds.
  if (lanes(status) != 0) {
    link.width = lanes(status);
    link.speed_mts = speed_mts(status & 0xf);
  }
  return link;
}

// Nothing where the dword cannot be read, or reads all ones: no register that we read has every bit set, but a function that
// is gone, or a bridge that does not forward the request, answers so.
std::optional<std::uint32_t> read_register(const ConfigSpace& space, unsigned offset) {
  const auto dword = space.read_dword(offset);
  return dword == 0xffffffff ? std::nullopt : dword;
}

// Device Capabilities 2 and Device Control 2, PCIe 6.0 §7.5.3.15 and §7.5.3.16.
std::optional<AtomicOps> decode_atomic_ops(const ConfigSpace& space, unsigned offset) {
  const auto capabilities = read_register(space, offset + 0x24);
  const auto control = read_register(space, offset + 0x28);
  if (!capabilities || !control) return std::nullopt;
  return AtomicOps{.routes = (*capabilities & 0x40) != 0,
                   .completes = (*capabilities & 0x180) != 0,
                   .is_requester = (*control & 0x40) != 0,
                   .is_egress_blocked = (*control & 0x80) != 0};
}

// Device Control bits 7:5, PCIe 6.0 §7.5.3.4: 128 bytes and up; 110 and 111 are reserved.
std::optional<std::uint16_t> decode_max_payload(const ConfigSpace& space, unsigned offset) {
  const auto control = read_register(space, offset + 0x08);
  const auto code = control ? (*control >> 5) & 7 : 7;
  return code <= 5 ? std::optional(static_cast<std::uint16_t>(128U << code)) : std::nullopt;
}

void decode_pcie(const ConfigSpace& space, unsigned offset, ConfigFacts& facts) {
  const auto header = space.read_dword(offset);
  if (!header) return;
  facts.port_type = port_type((*header >> 20) & 0xf);
  facts.max_payload = decode_max_payload(space, offset);
  const bool has_second_registers = ((*header >> 16) & 0xf) >= 2;
  if (has_second_registers) facts.atomic_ops = decode_atomic_ops(space, offset);
  // These two are part of the root complex: there is no link, and the registers mean nothing.
  if (facts.port_type == PortType::root_complex_endpoint || facts.port_type == PortType::root_complex_event_collector) return;
  facts.link = decode_link(space, offset);
  const bool is_port = facts.port_type == PortType::root_port || facts.port_type == PortType::switch_downstream;
  const auto capabilities = is_port ? read_register(space, offset + 0x0c) : std::nullopt;
  if (capabilities) facts.port_number = static_cast<std::uint8_t>(*capabilities >> 24);
}

Acs decode_acs(const ConfigSpace& space, unsigned offset) {
  const auto word = read_register(space, offset + 4);
  if (!word) return {};
  Acs acs{Acs::State::present, static_cast<std::uint16_t>(*word), static_cast<std::uint16_t>(*word >> 16)};
  if ((acs.control & Acs::egress_control) == 0) return acs;
  const unsigned size = (acs.capability >> 8) != 0 ? acs.capability >> 8 : 256;
  for (unsigned bit = 0; bit < size; bit += 32) {
    // All ones may be a vector that blocks every port.
    const auto part = space.read_dword(offset + 8 + bit / 8);
    if (!part) break;
    acs.egress.push_back(*part);
  }
  return acs;
}

// PCIe 6.0 §7.7.2: an entry is 16 bytes; of the pending bits there is one for each entry, in quadwords.
std::optional<MsixLocation> decode_msix(const ConfigSpace& space, unsigned offset) {
  const auto control = space.read_dword(offset);
  const auto table = space.read_dword(offset + 4);
  const auto pending = space.read_dword(offset + 8);
  if (!control || !table || !pending) return std::nullopt;
  constexpr unsigned last_bar = 5;
  if ((*table & 7) > last_bar || (*pending & 7) > last_bar) return std::nullopt;  // reserved: there is no such BAR
  const std::uint64_t entries = ((*control >> 16) & 0x7ff) + 1;
  MsixLocation location;
  location.table_bar = static_cast<std::uint8_t>(*table & 7);
  location.table_offset = Bytes{*table & ~7U};
  location.table_length = Bytes{entries * 16};
  location.pba_bar = static_cast<std::uint8_t>(*pending & 7);
  location.pba_offset = Bytes{*pending & ~7U};
  location.pba_length = Bytes{(entries + 63) / 64 * 8};
  return location;
}

PowerState decode_power(const ConfigSpace& space, unsigned offset) {
  const auto control = space.read_dword(offset + 4);
  if (!control) return PowerState::unknown;
  constexpr std::array states = {PowerState::d0, PowerState::d1, PowerState::d2, PowerState::d3hot};
  return states[*control & 3];
}

std::optional<Sriov> decode_sriov(const ConfigSpace& space, unsigned offset) {
  const auto control = space.read_dword(offset + 0x08);
  const auto count = space.read_dword(offset + 0x10);
  const auto place = space.read_dword(offset + 0x14);
  const auto device = space.read_dword(offset + 0x18);
  if (!control || !count || !place || !device) return std::nullopt;
  Sriov result;
  result.is_enabled = (*control & 0x1) != 0;
  result.memory_decode = (*control & 0x8) != 0;
  result.count = static_cast<std::uint16_t>(*count);
  result.first_offset = static_cast<std::uint16_t>(*place);
  result.stride = static_cast<std::uint16_t>(*place >> 16);
  result.device = static_cast<std::uint16_t>(*device >> 16);
  result.bars = decode_bars(space, offset + 0x24, 6);
  return result;
}

}  // namespace

void decode_capabilities(const ConfigSpace& space, ConfigFacts& facts) {
  const auto list = read_capabilities(space);
  facts.has_unread_capabilities = !list.is_complete;
  if (const auto offset = list.find(pcie)) {
    decode_pcie(space, *offset, facts);
  } else if (list.is_complete) {
    facts.port_type = PortType::conventional;
  }
  if (const auto offset = list.find(power_management)) {
    facts.power_state = decode_power(space, *offset);
  } else if (list.is_complete) {
    facts.power_state = PowerState::d0;  // it answers, and knows no state but on and off
  }
  if (const auto offset = list.find(msix)) {
    facts.msix = decode_msix(space, *offset);
    if (!facts.msix) facts.has_unread_capabilities = true;
  }
  if (const auto offset = facts.bridge ? list.find(bridge_subsystem) : std::nullopt) {
    const auto subsystem = space.read_dword(*offset + 4).value_or(0);
    facts.subsystem_vendor = static_cast<std::uint16_t>(subsystem);
    facts.subsystem_device = static_cast<std::uint16_t>(subsystem >> 16);
  }
}

void decode_extended_capabilities(const ConfigSpace& space, ConfigFacts& facts) {
  // Only PCIe functions have extended space, and so ACS and ATS.
  if (facts.port_type == PortType::conventional) {
    facts.acs.state = Acs::State::absent;
    facts.ats_enabled = false;
    return;
  }
  const auto list = read_extended_capabilities(space);

  if (const auto offset = list.find(acs)) {
    facts.acs = decode_acs(space, *offset);
  } else if (list.is_complete) {
    facts.acs.state = Acs::State::absent;
  }

  const auto ats_offset = list.find(ats);
  const auto ats_word = ats_offset ? read_register(space, *ats_offset + 4) : std::nullopt;
  if (ats_word) {
    facts.ats_enabled = (*ats_word & 0x80000000) != 0;  // ATS Control bit 15, PCIe 6.0 §10.5.1.3
  } else if (!ats_offset && list.is_complete) {
    facts.ats_enabled = false;
  }

  if (const auto offset = list.find(sriov)) facts.sriov = decode_sriov(space, *offset);
}

}  // namespace p2pd
