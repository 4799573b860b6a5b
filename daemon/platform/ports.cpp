// SPDX-License-Identifier: LGPL-2.1-or-later
#include "platform/ports.h"

#include <algorithm>

#include "platform/kernel_release.h"

namespace p2pd {

Machine with_known_ports(Machine machine, const PlatformTables& tables) {
  const auto kernel = parse_kernel_release(machine.host().kernel_release).value_or(tables.newest_kernel);
  const auto acs_of = [&](const Function& function) { return find_port(tables, kernel, function).acs; };
  // Most machines have no such port, and a picture is large.
  if (std::all_of(machine.functions().begin(), machine.functions().end(),
                  [&](const Function& function) { return acs_of(function) == function.acs; }))
    return machine;

  auto functions = machine.functions();
  for (auto& function : functions) {
    const auto standard = function.acs_by_standard();
    function.acs = acs_of(function);
    function.standard_acs = function.acs == standard ? std::nullopt : std::optional(standard);
  }
  return {machine.host(), std::move(functions)};
}

}  // namespace p2pd
