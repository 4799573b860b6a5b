// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sources/capability_list.h"

#include <algorithm>
#include <bitset>

namespace p2pd {

std::optional<unsigned> CapabilityList::find(std::uint16_t id) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.id == id; });
  return found == entries.end() ? std::nullopt : std::optional(found->offset);
}

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
    list.last = offset;
    // Zeros are nobody's capability, but bytes that were left out.
    if (!pointer || (*pointer & 0xff) == 0xff || *pointer == 0) return list;
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
    list.last = offset;
    // All ones: whatever is between here and the function does not forward extended requests.
    if (!header || *header == 0xffffffff) return list;
    // Zeros are the list of a function without any, and nothing that an entry could lead to.
    if (*header == 0 && offset != 0x100) return list;
    if (*header != 0) list.entries.push_back({static_cast<std::uint16_t>(*header), offset});
    offset = (*header >> 20) & 0xffc;
  }
  list.is_complete = offset == 0;
  return list;
}

}  // namespace p2pd
