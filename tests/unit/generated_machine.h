// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A machine of any size as a generated sysfs, for what must hold at thousands of functions. In each domain
//
//   root port ─ switch ─┬ port ─ an endpoint with four functions     (six of these)
//                       └ port ─ a PF with seven VFs                 (two of these)
//
// as often as a root bus has room for it. Ports redirect, as Linux sets them when the IOMMU is on.
#pragma once

#include <cstddef>

#include "fake_sysfs.h"

namespace p2pd::test {

// Exactly `functions`; `first_domain`: where an earlier call left off and more is to come.
void generate_machine(FakeSysfs& tree, std::size_t functions, unsigned first_domain = 0);

}  // namespace p2pd::test
