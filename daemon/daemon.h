// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The daemon put together: sources → arbiter → effects, the bus beside them, one sd-event loop. Tests give it another VFIO
// and another fd store.
#pragma once

#include <filesystem>
#include <string>

#include "mapping/back_ends.h"
#include "platform/files.h"
#include "state/fd_store.h"

namespace p2pd {

struct DaemonOptions {
  std::string bus = "system";  // "system", "session" or a D-Bus address
  std::filesystem::path sysfs_root = "/sys";
  std::filesystem::path proc_root = "/proc";
  std::filesystem::path config_file = "/etc/p2pd/p2pd.toml";
  std::filesystem::path platform_files = installed_platform_files();
  std::filesystem::path runtime_directory = "/run/p2pd";
};

// Runs until SIGTERM or SIGINT and everything was given back: 0. Another number when the bus went away before. Throws when
// it cannot start.
[[nodiscard]] int run_daemon(const DaemonOptions& options, const BackEnds& back_ends, FdStore& store);

}  // namespace p2pd
