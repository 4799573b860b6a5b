// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the functions of a dump sit, from what they say themselves: bus numbers of bridges, SR-IOV of PFs.
#pragma once

#include <optional>
#include <vector>

#include "model/function.h"
#include "sources/config_space.h"

namespace p2pd {

struct DumpedFunction {
  Function function;
  std::optional<Sriov> sriov;  // of a PF
  bool is_virtual = false;     // its ids read all ones
  bool is_silent = false;      // its config space says nothing: asleep without power, or cut off
};

// Joins PFs and VFs, then sets parent and root bus of each.
void place_functions(std::vector<DumpedFunction>& functions);

}  // namespace p2pd
