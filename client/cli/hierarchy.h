// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which function hangs below which bridge.
#pragma once

#include <cstddef>
#include <vector>

#include "p2pclient/device.h"

namespace p2pclient::cli {

// Indices into the list of devices; in its order.
struct Hierarchy {
  std::vector<std::size_t> roots;
  std::vector<std::vector<std::size_t>> children;  // of each device
};

// A function whose bridge is not in the list is a root.
[[nodiscard]] Hierarchy hierarchy_of(const std::vector<Device>& devices);

}  // namespace p2pclient::cli
