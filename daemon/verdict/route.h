// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which way a request takes, and why it may not get there.
#pragma once

#include "model/machine.h"
#include "model/target_name.h"
#include "topology/topology.h"
#include "verdict/findings.h"
#include "verdict/kernel_rule.h"
#include "verdict/verdict.h"

namespace p2pd {

// Where there is none, `findings` has why.
[[nodiscard]] Route find_route(const HostFacts& host, const Function& initiator, const Function& target, const Path& path,
                               const KernelFinding& kernel, Findings& findings);

// On a switch route the cookie is the bus address itself: the initiator's DMA engine must reach the range's last byte.
void judge_reach(const Function& initiator, const Function& target, const TargetName& name, unsigned address_bits,
                 Findings& findings);

// The machine may be a virtual one: what its tree looks like says nothing about the way of a request. True: it is physical.
bool judge_virtualization(const HostFacts& host, Findings& findings);

}  // namespace p2pd
