// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/type1_info.h"

#include <linux/vfio.h>

#include <cstddef>

#include "mapping/iova.h"
#include "mapping/vfio_info.h"

namespace p2pd {

Outcome<std::vector<Range<Iova>>> read_valid_iovas(const KernelCalls& calls, int container) {
  const auto buffer = read_info(calls, container, VFIO_IOMMU_GET_INFO, "VFIO_IOMMU_GET_INFO", vfio_iommu_type1_info{});
  if (!buffer) return tl::unexpected(buffer.error());
  vfio_iommu_type1_info info{};
  const auto refused = [] { return refuse(ErrorCode::not_supported, "the kernel does not tell which IOVAs are valid"); };
  if (!read_at(*buffer, 0, info) || (info.flags & VFIO_IOMMU_INFO_CAPS) == 0) return refused();
  const auto at = find_capability(*buffer, info.cap_offset, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
  if (!at) return refused();
  std::uint32_t count = 0;
  if (!read_at(*buffer, *at + offsetof(vfio_iommu_type1_info_cap_iova_range, nr_iovas), count)) return refused();

  std::vector<Range<Iova>> ranges;
  for (std::uint32_t index = 0; index < count; ++index) {
    vfio_iova_range range{};
    if (!read_at(*buffer, *at + offsetof(vfio_iommu_type1_info_cap_iova_range, iova_ranges) + index * sizeof range, range))
      return refused();
    if (const auto valid = valid_range(range.start, range.end)) ranges.push_back(*valid);
  }
  return ranges;
}

}  // namespace p2pd
