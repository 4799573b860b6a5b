// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/region.h"

#include <linux/vfio.h>

#include <algorithm>
#include <cstddef>

#include "mapping/vfio_info.h"

namespace p2pd {

bool RegionInfo::can_map(Bytes offset, Bytes length) const {
  if (!is_mappable || length.value == 0 || offset.value > size.value || length.value > size.value - offset.value) return false;
  if (!mappable_areas) return true;
  return std::any_of(mappable_areas->begin(), mappable_areas->end(), [&](const Area& area) {
    return offset.value >= area.offset && offset.value - area.offset <= area.size &&
           length.value <= area.size - (offset.value - area.offset);
  });
}

Outcome<RegionInfo> read_region(const KernelCalls& calls, int device, unsigned index) {
  vfio_region_info question{};
  question.index = index;
  const auto buffer = read_info(calls, device, VFIO_DEVICE_GET_REGION_INFO, "VFIO_DEVICE_GET_REGION_INFO", question);
  if (!buffer) return tl::unexpected(buffer.error());
  vfio_region_info info{};
  if (!read_at(*buffer, 0, info)) return refuse(ErrorCode::failed, "VFIO_DEVICE_GET_REGION_INFO: cut short");

  RegionInfo region{.size = Bytes{info.size},
                    .file_offset = static_cast<off_t>(info.offset),
                    .is_readable = (info.flags & VFIO_REGION_INFO_FLAG_READ) != 0,
                    .is_writable = (info.flags & VFIO_REGION_INFO_FLAG_WRITE) != 0,
                    .is_mappable = (info.flags & VFIO_REGION_INFO_FLAG_MMAP) != 0,
                    .mappable_areas = {}};
  if ((info.flags & VFIO_REGION_INFO_FLAG_CAPS) == 0) return region;
  const auto at = find_capability(*buffer, info.cap_offset, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
  if (!at) return region;
  std::uint32_t count = 0;
  if (!read_at(*buffer, *at + offsetof(vfio_region_info_cap_sparse_mmap, nr_areas), count))
    return refuse(ErrorCode::failed, "VFIO_DEVICE_GET_REGION_INFO: cut short");
  region.mappable_areas.emplace();
  for (std::uint32_t number = 0; number < count; ++number) {
    vfio_region_sparse_mmap_area area{};
    if (!read_at(*buffer, *at + offsetof(vfio_region_info_cap_sparse_mmap, areas) + number * sizeof(vfio_region_sparse_mmap_area),
                 area))
      break;
    region.mappable_areas->push_back({area.offset, area.size});
  }
  return region;
}

}  // namespace p2pd
