// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the capabilities say. What was not found in an incomplete list is unknown.
#include <array>

#include "sources/capability_list.h"
#include "sources/config_space.h"

namespace p2pd {

namespace {

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

// Device Capabilities 2 and Device Control 2, PCIe 6.0 §7.5.3.15 and §7.5.3.16. Version 1 of the capability ends before:
// such a function has nothing of it.
void decode_second_registers(const ConfigSpace& space, unsigned offset, unsigned version, ConfigFacts& facts) {
  const auto capabilities = version >= 2 ? read_register(space, offset + 0x24) : std::optional<std::uint32_t>(0);
  const auto control = version >= 2 ? read_register(space, offset + 0x28) : std::optional<std::uint32_t>(0);
  if (capabilities) facts.completes_ten_bit_tags = (*capabilities & 0x1'0000) != 0;
  // In a VF the bit is reserved, and its ids are all ones.
  const bool is_virtual = facts.vendor == 0xffff && facts.device == 0xffff;
  if (control && !is_virtual) facts.sends_ten_bit_tags = (*control & 0x1000) != 0;
  if (version < 2 || !capabilities || !control) return;
  facts.atomic_ops = AtomicOps{.routes = (*capabilities & 0x40) != 0,
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
  decode_second_registers(space, offset, (*header >> 16) & 0xf, facts);
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
  for (unsigned bit = 0; bit < acs.egress_size(); bit += 32) {
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

// NV_PCI_VIRTUAL_P2P_APPROVAL_CAP: a vendor's capability of 8 bytes that begins with "P2P"; where in the list depends on the
// hypervisor and on what else the function has (QEMU hw/vfio/pci-quirks.c). Two that differ say nothing.
std::optional<std::uint8_t> decode_clique(const ConfigSpace& space, const CapabilityList& list) {
  std::optional<std::uint8_t> clique;
  for (const auto& [id, offset] : list.entries) {
    if (id != capability::vendor_specific) continue;
    const auto head = space.read_dword(offset);
    const auto body = space.read_dword(offset + 4);
    constexpr std::uint32_t length_and_p = 0x5008;  // 8, 'P'
    constexpr std::uint32_t two_and_p = 0x5032;     // '2', 'P'
    constexpr std::uint32_t version_and_reserved = 0xff870000;
    if (!head || !body || *head >> 16 != length_and_p || (*body & 0xffff) != two_and_p || (*body & version_and_reserved) != 0)
      continue;
    const auto found = static_cast<std::uint8_t>((*body >> 19) & 0xf);
    if (clique && *clique != found) return std::nullopt;
    clique = found;
  }
  return clique;
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
  result.sends_ten_bit_tags = (*control & 0x20) != 0;  // VF 10-Bit Tag Requester Enable
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
  if (const auto offset = list.find(capability::pcie)) {
    decode_pcie(space, *offset, facts);
  } else if (list.is_complete) {
    facts.port_type = PortType::conventional;
  }
  if (const auto offset = list.find(capability::power_management)) {
    facts.power_state = decode_power(space, *offset);
  } else if (list.is_complete) {
    facts.power_state = PowerState::d0;  // it answers, and knows no state but on and off
  }
  constexpr std::uint16_t nvidia_id = 0x10de;
  if (facts.vendor == nvidia_id) facts.clique = decode_clique(space, list);
  if (const auto offset = list.find(capability::msix)) {
    facts.msix = decode_msix(space, *offset);
    if (!facts.msix) facts.has_unread_capabilities = true;
  }
  if (const auto offset = facts.bridge ? list.find(capability::bridge_subsystem) : std::nullopt) {
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

  if (const auto offset = list.find(extended_capability::acs)) {
    facts.acs = decode_acs(space, *offset);
    // Where functions are numbered by ARI the vector may count groups of them, PCIe 6.0 §7.8.8.3: only function 0 says so.
    if (list.find(extended_capability::ari)) facts.acs.egress.clear();
    // Intel has chipset ports whose control is there.
    constexpr std::uint16_t intel_id = 0x8086;
    if (facts.vendor == intel_id && facts.port_type == PortType::root_port)
      facts.acs.next_dword = read_register(space, *offset + 8);
  } else if (list.is_complete) {
    facts.acs.state = Acs::State::absent;
  }

  const auto ats_offset = list.find(extended_capability::ats);
  facts.has_ats = ats_offset.has_value();
  const auto ats_word = ats_offset ? read_register(space, *ats_offset + 4) : std::nullopt;
  if (ats_word) {
    facts.ats_enabled = (*ats_word & 0x80000000) != 0;  // ATS Control bit 15, PCIe 6.0 §10.5.1.3
  } else if (!ats_offset && list.is_complete) {
    facts.ats_enabled = false;
  }

  if (const auto offset = list.find(extended_capability::sriov)) facts.sriov = decode_sriov(space, *offset);
}

}  // namespace p2pd
