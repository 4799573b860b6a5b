// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One function of the live machine, from its directory in sysfs.
#pragma once

#include <filesystem>
#include <optional>

#include "model/function.h"
#include "sources/config_space.h"

namespace p2pd {

struct LiveReading {
  Function function;           // without names; of a VF without what only its PF knows
  std::optional<Sriov> sriov;  // of a PF whose config space could be read
};

// Nothing when there is no such function (any more).
[[nodiscard]] std::optional<LiveReading> read_function(const std::filesystem::path& sysfs_root, const Address& address);

}  // namespace p2pd
