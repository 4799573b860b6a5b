// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A device that went and another one that came to its address must not look like one that changed.
#pragma once

#include <vector>

#include "model/machine.h"

namespace p2pd {

// What to show, one after the other, when `before` became `now`: first without what left its address, then with what is
// there now. `removed` went, as far as is known; what is another device by its ids went in any case.
[[nodiscard]] std::vector<Machine> pictures(const Machine& before, Machine now, std::vector<Address> removed);

}  // namespace p2pd
