// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The kernel's decision, step by step as p2pdma.c calc_map_type_and_dist makes it, flaws included: every redirecting
// function of the path counts, endpoints and the common bridge too, whether or not the request turns there.
#pragma once

#include <string>
#include <vector>

#include "model/machine.h"
#include "platform/root_complex.h"
#include "platform/tables.h"
#include "topology/topology.h"
#include "verdict/verdict.h"

namespace p2pd {

struct KernelFinding {
  KernelRule rule;
  // Functions of the path with an ACS redirect, and those whose ACS could not be read; only when the path has a common
  // bridge, else the kernel does not ask.
  std::vector<const Function*> redirecting;
  std::vector<const Function*> unread;
  RootComplex root_complex;        // asked for when the path does not stay below a common bridge
  std::vector<std::string> notes;  // which table was taken, when it was not the running kernel's
};

[[nodiscard]] KernelFinding apply_kernel_rule(const Machine& machine, const PlatformTables& tables, const Function& initiator,
                                              const Function& target, const Path& path);

}  // namespace p2pd
