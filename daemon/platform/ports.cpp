// SPDX-License-Identifier: LGPL-2.1-or-later
#include "platform/ports.h"

#include <algorithm>

#include "platform/kernel_release.h"

namespace p2pd {

unsigned kernel_of_entries(const HostFacts& host, const PlatformTables& tables) {
  return parse_kernel_release(host.kernel_release).value_or(tables.newest_kernel);
}

Machine with_known_ports(Machine machine, const PlatformTables& tables) {
  const auto kernel = kernel_of_entries(machine.host(), tables);
  const auto know = [&](Function& function) {
    auto found = find_port(tables, kernel, function);
    const bool is_known = found.chipset != nullptr || found.isolated != nullptr;
    function.standard_acs = is_known ? std::optional(function.acs_by_standard()) : std::nullopt;
    function.acs = std::move(found.acs);
  };
  // Most machines have no such port, and a picture is large.
  if (std::all_of(machine.functions().begin(), machine.functions().end(), [&](const Function& function) {
        const auto found = find_port(tables, kernel, function);
        return found.acs == function.acs &&
               function.standard_acs.has_value() == (found.chipset != nullptr || found.isolated != nullptr);
      }))
    return machine;

  auto functions = machine.functions();
  for (auto& function : functions) know(function);
  return {machine.host(), std::move(functions)};
}

}  // namespace p2pd
