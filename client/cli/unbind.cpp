// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/driver_command.h"

namespace p2pclient::cli {

Command unbind_command() {
  return driver_command({.name = "unbind",
                         .summary = "gives a function back to the kernel's own driver",
                         .force = "take it from who uses it through p2pd",
                         .done = "unbound",
                         .change = &Client::unbind});
}

}  // namespace p2pclient::cli
