// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a type1 container tells about itself.
#pragma once

#include <vector>

#include "mapping/kernel_calls.h"
#include "model/reason.h"
#include "model/units.h"

namespace p2pd {

// The ranges that the IOMMU can map, without reserved regions: VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE.
[[nodiscard]] Outcome<std::vector<Range<Iova>>> read_valid_iovas(const KernelCalls& calls, int container);

}  // namespace p2pd
