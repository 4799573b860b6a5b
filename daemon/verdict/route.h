// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which way a request takes, and why it may not get there.
#pragma once

#include <vector>

#include "model/machine.h"
#include "model/target_name.h"
#include "verdict/kernel_rule.h"
#include "verdict/verdict.h"

namespace p2pd {

struct RouteFinding {
  Route route = Route::none;
  std::vector<Blocker> blockers;  // never empty when there is no route
};

[[nodiscard]] RouteFinding find_route(const Machine& machine, const Function& initiator, const Function& target,
                                      const KernelFinding& kernel);

// On a switch route the cookie is the bus address itself: the initiator's DMA engine must reach the range's last byte.
[[nodiscard]] std::vector<Blocker> judge_reach(const Function& initiator, const Function& target, const TargetName& name,
                                               unsigned address_bits);

// The machine may be a virtual one: what its tree looks like says nothing about the way of a request.
[[nodiscard]] std::vector<Blocker> judge_virtualization(const HostFacts& host);

}  // namespace p2pd
