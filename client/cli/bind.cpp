// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/driver_command.h"

namespace p2pclient::cli {

Command bind_command() {
  return driver_command({.name = "bind",
                         .summary = "gives a function to vfio-pci",
                         .force = "although something uses it",
                         .done = "bound",
                         .change = &Client::bind});
}

}  // namespace p2pclient::cli
