// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Does the root complex forward peer requests between two functions? As the kernel knows it: by CPU, else by the list of
// host bridges (p2pdma.c cpu_supports_p2pdma, host_bridge_whitelist).
#pragma once

#include <cstdint>
#include <string>

#include "model/machine.h"
#include "platform/tables.h"

namespace p2pd {

enum class Forwarding : std::uint8_t {
  yes,
  // Listed, but only for two functions below the same host bridge, and these are below different ones: known not to work.
  same_bridge_only,
  not_listed,  // not known to work
  unknown,     // what the lists are keyed by could not be read
};

struct RootComplex {
  Forwarding forwarding = Forwarding::unknown;
  std::string where;   // the function that a host bridge is known by; "" when the CPU decides
  std::string reason;  // one sentence: which entry, or what is in no list
};

// `kernel`: whose tables, major * 1000 + minor.
[[nodiscard]] RootComplex root_complex_between(const Machine& machine, const PlatformTables& tables, unsigned kernel,
                                               const Function& a, const Function& b);

}  // namespace p2pd
