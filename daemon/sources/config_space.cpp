// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The header, PCIe 6.0 §7.5.1: ids, command, BARs, what a bridge forwards.
#include "sources/config_space.h"

#include <limits>

namespace p2pd {

namespace {

constexpr std::uint32_t all_ones = 0xffffffff;

enum Offset : unsigned {
  ids = 0x00,
  command_status = 0x04,
  class_revision = 0x08,
  header_type = 0x0c,
  first_bar = 0x10,
  bus_numbers = 0x18,
  memory_window = 0x20,
  prefetchable_window = 0x24,
  prefetchable_base_upper = 0x28,
  prefetchable_limit_upper = 0x2c,
  subsystem_ids = 0x2c,
};

enum Layout : unsigned { endpoint_layout = 0, bridge_layout = 1, cardbus_layout = 2 };

std::optional<Range<BusAddress>> window(std::uint64_t base, std::uint64_t limit) {
  if (limit < base) return std::nullopt;  // closed
  const std::uint64_t span = limit - base;
  // All 64 bits of address are one byte more than a length can say.
  return make_range(BusAddress{base}, Bytes{span == std::numeric_limits<std::uint64_t>::max() ? span : span + 1});
}

// Memory Base and Limit: the upper 12 bits of each half are address bits 31:20, PCIe 6.0 §7.5.1.3.8.
std::uint64_t window_base(std::uint32_t base_limit) { return std::uint64_t{base_limit & 0xfff0} << 16; }
std::uint64_t window_limit(std::uint32_t base_limit) { return (base_limit & 0xfff00000) | 0xfffff; }

std::optional<Range<BusAddress>> decode_memory_window(const ConfigSpace& space) {
  const auto base_limit = space.read_dword(memory_window);
  return base_limit ? window(window_base(*base_limit), window_limit(*base_limit)) : std::nullopt;
}

std::optional<Range<BusAddress>> decode_prefetchable_window(const ConfigSpace& space) {
  const auto base_limit = space.read_dword(prefetchable_window);
  const auto base_upper = space.read_dword(prefetchable_base_upper);
  const auto limit_upper = space.read_dword(prefetchable_limit_upper);
  if (!base_limit || !base_upper || !limit_upper) return std::nullopt;
  // A bridge without this window reads zero (drivers/pci/probe.c pci_read_bridge_windows() writes to find out).
  if (*base_limit == 0 && *base_upper == 0 && *limit_upper == 0) return std::nullopt;
  const bool is_64bit = (*base_limit & 0xf) == 1;
  const auto upper = [&](std::uint32_t value) { return is_64bit ? std::uint64_t{value} << 32 : 0; };
  return window(window_base(*base_limit) | upper(*base_upper), window_limit(*base_limit) | upper(*limit_upper));
}

std::optional<BridgeWindows> decode_bridge(const ConfigSpace& space, unsigned layout) {
  const auto numbers = space.read_dword(bus_numbers);
  if (!numbers || (layout != bridge_layout && layout != cardbus_layout)) return std::nullopt;
  BridgeWindows bridge;
  bridge.secondary_bus = static_cast<std::uint8_t>(*numbers >> 8);
  bridge.subordinate_bus = static_cast<std::uint8_t>(*numbers >> 16);
  if (layout == bridge_layout) {
    bridge.memory = decode_memory_window(space);
    bridge.prefetchable = decode_prefetchable_window(space);
  }
  return bridge;
}

unsigned bar_registers(unsigned layout) {
  switch (layout) {
    case endpoint_layout: return 6;
    case bridge_layout: return 2;
    case cardbus_layout: return 1;
    default: return 0;
  }
}

}  // namespace

std::optional<std::uint32_t> ConfigBytes::read_dword(unsigned offset) const {
  if (readable_.size() < 4 || offset > readable_.size() - 4) return std::nullopt;
  const auto byte = [&](unsigned index) { return std::uint32_t{readable_[offset + index]} << (8 * index); };
  return byte(0) | byte(1) | byte(2) | byte(3);
}

std::vector<Bar> decode_bars(const ConfigSpace& space, unsigned offset, unsigned count) {
  std::vector<Bar> bars;
  for (unsigned index = 0; index < count; ++index) {
    const auto low = space.read_dword(offset + 4 * index);
    // Zero: not there, or 32-bit memory that nobody assigned; the register alone cannot tell.
    if (!low || *low == 0 || *low == all_ones) continue;
    Bar bar;
    bar.index = static_cast<std::uint8_t>(index);
    bar.is_memory = (*low & 1) == 0;
    bar.is_64bit = bar.is_memory && (*low & 6) == 4;
    bar.is_prefetchable = bar.is_memory && (*low & 8) != 0;
    std::optional<std::uint64_t> address = bar.is_memory ? *low & ~0xfU : *low & ~0x3U;
    if (bar.is_64bit) {
      // A 64-bit BAR in the last register has no upper half: it cannot be decoded, and so has no address.
      const auto high = index + 1 < count ? space.read_dword(offset + 4 * (index + 1)) : std::nullopt;
      address = high ? std::optional(*address | (std::uint64_t{*high} << 32)) : std::nullopt;
      ++index;
    }
    bar.is_assigned = address && *address != 0;
    if (bar.is_assigned) bar.bus_address = BusAddress{*address};
    bars.push_back(bar);
  }
  return bars;
}

ConfigFacts decode_config(const ConfigSpace& space) {
  ConfigFacts facts;
  const auto id = space.read_dword(ids);
  const auto class_and_revision = space.read_dword(class_revision);
  // A VF's ids read all ones although it is there (PCIe 6.0 §9.3.4.1): the class tells it from a function that is gone.
  if (!id || (*id == all_ones && class_and_revision.value_or(all_ones) == all_ones)) return facts;
  facts.responds = true;
  facts.vendor = static_cast<std::uint16_t>(*id);
  facts.device = static_cast<std::uint16_t>(*id >> 16);
  if (class_and_revision) {
    facts.revision = static_cast<std::uint8_t>(*class_and_revision);
    facts.class_code = *class_and_revision >> 8;
  }
  if (const auto command = space.read_dword(command_status); command && *command != all_ones) {
    facts.memory_decode = (*command & 0x2) != 0;
    facts.bus_master = (*command & 0x4) != 0;
  }
  if (const auto header = space.read_dword(header_type)) {
    const unsigned layout = (*header >> 16) & 0x7f;
    facts.is_multifunction = (*header & 0x800000) != 0;
    facts.bars = decode_bars(space, first_bar, bar_registers(layout));
    facts.bridge = decode_bridge(space, layout);
    if (const auto subsystem = layout == endpoint_layout ? space.read_dword(subsystem_ids) : std::nullopt) {
      facts.subsystem_vendor = static_cast<std::uint16_t>(*subsystem);
      facts.subsystem_device = static_cast<std::uint16_t>(*subsystem >> 16);
    }
    decode_capabilities(space, facts);
    decode_extended_capabilities(space, facts);
  }
  return facts;
}

void take_config_facts(Function& function, const ConfigFacts& facts) {
  // Function 0 says whether there are others; that the others exist says the same (drivers/pci/probe.c pci_scan_slot()).
  function.is_multifunction = facts.is_multifunction || (function.address.function != 0 && !function.physical_function);
  function.memory_decode = facts.memory_decode;
  function.bus_master = facts.bus_master;
  function.bridge = facts.bridge;
  function.port_type = facts.port_type;
  function.link = facts.link;
  function.msix = facts.msix;
  function.has_unread_capabilities = facts.has_unread_capabilities;
  function.has_vfs_enabled = facts.sriov && facts.sriov->is_enabled && facts.sriov->count != 0;
  function.acs = facts.acs;
  function.port_number = facts.port_number;
  function.max_payload = facts.max_payload;
  function.atomic_ops = facts.atomic_ops;
  function.sends_ten_bit_tags = facts.sends_ten_bit_tags;
  function.completes_ten_bit_tags = facts.completes_ten_bit_tags;
  function.ats_enabled = facts.ats_enabled;
  function.has_ats = facts.has_ats;
  function.clique = facts.clique;
  if (function.power_state == PowerState::unknown) function.power_state = facts.power_state;
}

}  // namespace p2pd
