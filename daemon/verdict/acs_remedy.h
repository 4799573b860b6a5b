// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Arguments for the kernel's command line that change ACS, and what they cost.
#pragma once

#include <span>
#include <string>

#include "model/machine.h"

namespace p2pd {

// Switches RR, CR and EC of these off; "" for none.
[[nodiscard]] std::string clear_redirects(const HostFacts& host, std::span<const Function* const> ports);

// Switches Egress Control of one off, and Request Redirect with it; "" where its control is not in the standard's place.
[[nodiscard]] std::string clear_egress_control(const HostFacts& host, const Function& port);

// "" where nothing does it: the ports cannot, or the kernel has no argument and is locked down.
[[nodiscard]] std::string set_upstream_forwarding(const HostFacts& host, std::span<const Function* const> ports);

// Who would reach what past the IOMMU that is out of reach now: isolation is counted in reach sets, not in IOMMU groups.
[[nodiscard]] std::string price_of_clearing(const Machine& machine, std::span<const Function* const> ports);

}  // namespace p2pd
