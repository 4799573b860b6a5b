// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bind and unbind with the writes to sysfs given: tests play the kernel behind the files.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "driver/driver.h"
#include "mapping/transaction.h"

namespace p2pd {

// Writes the text at once, as sysfs wants it.
using SysfsWriter = std::function<Outcome<void>(const std::filesystem::path& file, const std::string& text)>;

[[nodiscard]] Outcome<void> write_sysfs(const std::filesystem::path& file, const std::string& text);

[[nodiscard]] Outcome<void> bind_to_vfio_by(const SysfsWriter& write, const DriverPaths& paths, const Address& address,
                                            bool force, const FaultInjector& fail = {});

[[nodiscard]] Outcome<void> bind_all_to_vfio_by(const SysfsWriter& write, const DriverPaths& paths,
                                                const std::vector<Address>& addresses, bool force,
                                                const FaultInjector& fail = {});

// Opens the node of a group and closes it again: 0 or the errno.
using GroupProbe = std::function<int(const std::filesystem::path& node)>;
[[nodiscard]] int probe_group(const std::filesystem::path& node);

// `patience`: how long others may take to close the function.
[[nodiscard]] Outcome<void> unbind_from_vfio_by(const SysfsWriter& write, const DriverPaths& paths, const Address& address,
                                                std::chrono::milliseconds patience = {}, const GroupProbe& group = probe_group);
[[nodiscard]] Outcome<void> unbind_all_from_vfio_by(const SysfsWriter& write, const DriverPaths& paths,
                                                    const std::vector<Address>& addresses,
                                                    std::chrono::milliseconds patience = {},
                                                    const GroupProbe& group = probe_group, const FaultInjector& fail = {});

}  // namespace p2pd
