// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which IOVAs somebody else would answer to.
#include "mapping/iova.h"

namespace p2pd {

namespace {

void add(std::vector<Range<Iova>>& ranges, const std::optional<Range<BusAddress>>& window) {
  if (window && window->length.value != 0) ranges.push_back({Iova{window->begin.value}, window->length});
}

void add(std::vector<Range<Iova>>& ranges, const Bar& bar) {
  if (!bar.is_memory || !bar.is_assigned || !bar.bus_address) return;
  if (const auto range = make_range(Iova{bar.bus_address->value}, bar.size)) ranges.push_back(*range);
}

}  // namespace

// One rule without exceptions: whatever any bridge forwards or any BAR decodes, anywhere in the machine, is left out.
// An address that nobody but the IOMMU answers to can only go up to the IOMMU, whichever ports have ACS redirect off, now
// or later. The kernel's DMA API keeps out the windows of the initiator's own host bridge (dma-iommu.c
// iova_reserve_pci_windows); VFIO keeps out none. We take every host bridge, because functions below a VMD or an NTB
// sit on a root bus of their own in front of another one's windows. What that costs is address space that nobody misses
// (windows nest: IovaSpace merges them into a handful of ranges).
std::vector<Range<Iova>> forbidden_iovas(const Machine& machine, const Function& initiator) {
  std::vector<Range<Iova>> ranges;
  // direct-relaxable ones too: the kernel lets VFIO map there, but firmware may still use it.
  for (const auto& region : initiator.reserved_regions)
    if (region.range.length.value != 0) ranges.push_back(region.range);
  for (const auto& function : machine.functions()) {
    if (function.bridge) {
      add(ranges, function.bridge->memory);
      add(ranges, function.bridge->prefetchable);
    }
    for (const auto& bar : function.bars) add(ranges, bar);
  }
  return ranges;
}

}  // namespace p2pd
