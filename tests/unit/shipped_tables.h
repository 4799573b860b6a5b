// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The platform files of this tree, as p2pd reads them once they are installed.
#pragma once

#include <stdexcept>

#include "platform/files.h"
#include "test_paths.h"

namespace p2pd::test {

inline const PlatformTables& shipped_tables() {
  static const PlatformTables tables = [] {
    auto reading =
        PlatformFiles({.shipped = P2PD_PLATFORM_FILES, .overrides = "", .operator_peers = "", .hypervisor_peers = ""}).read();
    if (!reading.problems.empty()) throw std::runtime_error(reading.problems.front());
    return std::move(reading.tables);
  }();
  return tables;
}

}  // namespace p2pd::test
