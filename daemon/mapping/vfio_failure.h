// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an errno of a VFIO call means, in words that say what to do. platform-knowledge §3.2, vfio_iommu_type1.c.
#pragma once

#include <cstdint>
#include <string>

#include "model/reason.h"

namespace p2pd {

enum class VfioCall : std::uint8_t {
  open_container,
  open_group,
  set_container,
  set_iommu,
  get_device,
  map,
  unmap,
  map_bar,
  other,
};

// `subject`: the path, device or range that the call was for.
[[nodiscard]] tl::unexpected<Reason> refuse_vfio(VfioCall call, const std::string& subject, int error);

}  // namespace p2pd
