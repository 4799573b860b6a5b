// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The back end `vfio-type1`: a group and a container for each function, mappings by MAP_DMA. linux/vfio.h.
#pragma once

#include <memory>

#include "mapping/back_end_options.h"
#include "mapping/vfio.h"

namespace p2pd {

[[nodiscard]] std::unique_ptr<Vfio> make_type1(BackEndOptions options = {});

}  // namespace p2pd
