// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The picture of a machine with what platform.d knows of its ports.
#pragma once

#include "model/machine.h"
#include "platform/tables.h"

namespace p2pd {

// For which kernel entries count: the machine's own, where it is known. Only of host bridges the newest list may.
[[nodiscard]] unsigned kernel_of_entries(const HostFacts& host, const PlatformTables& tables);

// Every function with its ACS as it works. The same again when it was told before, by these tables or others.
[[nodiscard]] Machine with_known_ports(Machine machine, const PlatformTables& tables);

}  // namespace p2pd
