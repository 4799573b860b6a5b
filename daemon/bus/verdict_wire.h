// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A verdict as org.p2pd1.Manager.Check gives it.
#pragma once

#include <systemd/sd-bus.h>

#include <string>

#include "verdict/verdict.h"

namespace p2pd {

// The a{sv} of the contract.
void put_verdict(sd_bus_message* reply, const Verdict& verdict);

// One line for polkit: "yes", "no [target-not-enabled group-held]".
[[nodiscard]] std::string summary_of(const Verdict& verdict);

}  // namespace p2pd
