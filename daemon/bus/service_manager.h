// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the service manager knows of the machine.
#pragma once

#include <string>

namespace p2pd {

// systemd's name of the hypervisor, or of the container; "" = none, or there is no systemd to ask. Blocks for a second at
// most: for the start.
[[nodiscard]] std::string ask_virtualization();

}  // namespace p2pd
