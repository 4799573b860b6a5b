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

// Whose host-bridge table judges this machine, major * 1000 + minor.
[[nodiscard]] unsigned choose_table(const HostFacts& host, const PlatformTables& tables);
// When it is not the running kernel's.
[[nodiscard]] std::vector<std::string> notes_about_table(const HostFacts& host, const PlatformTables& tables);

// One end of a path.
struct Place {
  const Function* function = nullptr;
  Way way;
  HostBridge host_bridge;
};

struct KernelFinding {
  KernelRule::MapType map_type = KernelRule::MapType::unknown;
  // Functions of the path have an ACS redirect; the ACS of some could not be read. Only when the path has a common bridge,
  // else the kernel does not ask.
  bool is_redirected = false;
  bool is_unread = false;
  RootComplex root_complex;  // asked for when the path does not stay below a common bridge
};

[[nodiscard]] KernelFinding apply_kernel_rule(const HostFacts& host, const PlatformTables& tables, const Place& initiator,
                                              const Place& target, const Path& path);

// Which ones those are, in the order in which the kernel tests them.
[[nodiscard]] std::vector<const Function*> redirecting(const Path& path);
[[nodiscard]] std::vector<const Function*> unread(const Path& path);

}  // namespace p2pd
