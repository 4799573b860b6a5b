// SPDX-License-Identifier: LGPL-2.1-or-later
//
// VFs through their PF: PCIe 6.0 §9.2.1.2 (routing ids) and §9.3.3.14 (BARs).
#include "sources/config_space.h"

namespace p2pd {

namespace {

unsigned routing_id(const Address& address) { return address.bus * 256U + address.device * 8U + address.function; }

}  // namespace

std::optional<unsigned> virtual_function_index(const Address& physical, const Sriov& sriov, const Address& candidate) {
  const unsigned first = routing_id(physical) + sriov.first_offset;
  const unsigned id = routing_id(candidate);
  if (!sriov.is_enabled || sriov.first_offset == 0 || candidate.domain != physical.domain || id < first) return std::nullopt;
  const unsigned distance = id - first;
  if (distance == 0) return sriov.count > 0 ? std::optional(0U) : std::nullopt;
  if (sriov.stride == 0 || distance % sriov.stride != 0) return std::nullopt;
  const unsigned index = distance / sriov.stride;
  return index < sriov.count ? std::optional(index) : std::nullopt;
}

void complete_virtual_function(Function& function, const Sriov& sriov, unsigned index) {
  function.memory_decode = sriov.memory_decode;
  function.sends_ten_bit_tags = sriov.sends_ten_bit_tags;
  for (const Bar& first : sriov.bars) {
    Bar* own = nullptr;
    for (Bar& bar : function.bars)
      if (bar.index == first.index) own = &bar;
    if (own == nullptr) continue;
    // VF n's BAR is n times its size behind that of VF 0. Without a size only VF 0's place is known.
    if (!first.bus_address || (index != 0 && own->size.value == 0)) continue;
    own->bus_address = BusAddress{first.bus_address->value + index * own->size.value};
  }
}

}  // namespace p2pd
