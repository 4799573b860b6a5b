// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bind and unbind with the writes to sysfs given: tests play the kernel behind the files.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "driver/driver.h"
#include "mapping/transaction.h"

namespace p2pd {

// Writes the text at once, as sysfs wants it.
using SysfsWriter = std::function<Outcome<void>(const std::filesystem::path& file, const std::string& text)>;

[[nodiscard]] Outcome<void> write_sysfs(const std::filesystem::path& file, const std::string& text);

[[nodiscard]] Outcome<void> bind_to_vfio_by(const SysfsWriter& write, const DriverPaths& paths, const Address& address,
                                            bool force, const FaultInjector& fail = {});
[[nodiscard]] Outcome<void> unbind_from_vfio_by(const SysfsWriter& write, const DriverPaths& paths, const Address& address,
                                                const FaultInjector& fail = {});

}  // namespace p2pd
