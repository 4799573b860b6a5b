// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an errno of a VFIO or iommufd call means, in words that say what to do. vfio_iommu_type1.c, device_cdev.c,
// iommufd/device.c, iommufd/pages.c.
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
  open_iommufd,
  open_node,
  bind_iommufd,
  attach,
  map,
  map_dma_buf,
  unmap,
  map_bar,
  export_bar,
  reset,
  other,
};

// `subject`: the path, device or range that the call was for.
[[nodiscard]] tl::unexpected<Reason> refuse_vfio(VfioCall call, const std::string& subject, int error);

}  // namespace p2pd
