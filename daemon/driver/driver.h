// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Binding a function to vfio-pci and back, by driver_override; refused while something uses the function.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/address.h"
#include "model/reason.h"

namespace p2pd {

struct DriverPaths {
  std::filesystem::path sysfs_root = "/sys";
  std::filesystem::path proc_root = "/proc";
  std::filesystem::path vfio_directory = "/dev/vfio";
};

// What uses this function now, one sentence each: mounted or swapped block devices (through md, dm, LVM), interfaces
// that are up, the boot VGA. Empty = nothing that we can see.
[[nodiscard]] std::vector<std::string> users_of(const DriverPaths& paths, const Address& address);

// driver_override = vfio-pci, unbind, drivers_probe, verified; each of them is looked at for users before any is touched. On
// failure the old drivers are back.
[[nodiscard]] Outcome<void> bind_to_vfio(const DriverPaths& paths, const std::vector<Address>& addresses, bool force);

// Clears the override and lets the kernel find each function's own driver; on failure all are on vfio-pci again. Busy while
// anybody has the function open, forced or not: the kernel would wait for the last close, with our worker in it. `force`: the
// function was taken from somebody, who gets two seconds to close it.
[[nodiscard]] Outcome<void> unbind_from_vfio(const DriverPaths& paths, const std::vector<Address>& addresses, bool force);

}  // namespace p2pd
