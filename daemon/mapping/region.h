// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What VFIO lets be done with a BAR or with config space: VFIO_DEVICE_GET_REGION_INFO.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "mapping/kernel_calls.h"
#include "model/reason.h"
#include "model/units.h"

namespace p2pd {

struct RegionInfo {
  Bytes size;
  off_t file_offset = 0;
  bool is_readable = false;
  bool is_writable = false;
  bool is_mappable = false;
  struct Area {
    std::uint64_t offset;
    std::uint64_t size;
  };
  // Nothing = all of it. VFIO_REGION_INFO_CAP_SPARSE_MMAP.
  std::optional<std::vector<Area>> mappable_areas;

  [[nodiscard]] bool can_map(Bytes offset, Bytes length) const;
};

[[nodiscard]] Outcome<RegionInfo> read_region(const KernelCalls& calls, int device, unsigned index);

}  // namespace p2pd
