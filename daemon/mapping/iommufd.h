// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The back end `iommufd`: an I/O address space (IOAS) for each function, BARs mapped as dma-bufs. It fails closed: a target
// that is reset through VFIO, stops decoding or is closed loses its mappings by itself. uapi/vfio_iommufd.h.
#pragma once

#include <memory>

#include "mapping/back_end_options.h"
#include "mapping/vfio.h"

namespace p2pd {

[[nodiscard]] std::unique_ptr<Vfio> make_iommufd(BackEndOptions options = {});

}  // namespace p2pd
