// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which back end does it: the one that is named, else the first that can.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mapping/vfio.h"

namespace p2pd {

// All that may work somewhere, the preferred one first.
using BackEnds = std::vector<std::reference_wrapper<Vfio>>;

struct OpenedThrough {
  std::unique_ptr<OpenedFunction> function;
  std::string backend;
};
// `backend`: "" = the first that can.
[[nodiscard]] Outcome<OpenedThrough> open_through(const BackEnds& back_ends, const std::string& backend, const Address& address,
                                                  std::uint32_t iommu_group);

// The names of those that can work on this machine now; when none can, why the last one cannot: it asks for the least.
[[nodiscard]] Outcome<std::vector<std::string>> probe(const BackEnds& back_ends);

}  // namespace p2pd
