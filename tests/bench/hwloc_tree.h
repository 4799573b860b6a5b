// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The same machine as hwloc has it: what others ask when they want to know where two devices meet.
#pragma once

#include <hwloc.h>

#include <memory>
#include <vector>

#include "model/machine.h"

namespace p2pd::bench {

class HwlocTree {
 public:
  explicit HwlocTree(const Machine& machine);

  // One for each function that is no bridge, by address.
  [[nodiscard]] const std::vector<hwloc_obj_t>& devices() const { return devices_; }
  // hwloc_get_common_ancestor_obj() climbs by depth, which I/O objects do not have: this climbs as it does, by levels counted.
  [[nodiscard]] static hwloc_obj_t common_ancestor(hwloc_obj_t a, hwloc_obj_t b);

 private:
  std::unique_ptr<hwloc_topology, decltype(&hwloc_topology_destroy)> topology_;
  std::vector<hwloc_obj_t> devices_;
};

}  // namespace p2pd::bench
