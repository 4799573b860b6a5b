// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The picture of the machine, kept up to date. A device that went and another one that came to its address must not look like
// one that changed.
#pragma once

#include <vector>

#include "model/machine.h"
#include "sources/source.h"

namespace p2pd {

// What to show, one after the other, when `before` became `now`: first without what left its address, then with what is
// there now. `removed` went, as far as is known; what is another device by its ids went in any case.
[[nodiscard]] std::vector<Machine> pictures(const Machine& before, Machine now, std::vector<Address> removed);

// `before` with these functions as they are now, and what hangs on them. What is in `removed` is another device than before.
[[nodiscard]] Machine read_again(const LiveOptions& options, const Machine& before, std::vector<Address> addresses,
                                 const std::vector<Address>& removed);

// All of them. One that cannot be read without waking it is as it was in `before`, unless that was another device.
[[nodiscard]] Outcome<Machine> read_everything_again(const LiveOptions& options, const Machine& before,
                                                     const std::vector<Address>& removed);

}  // namespace p2pd
