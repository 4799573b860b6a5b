// SPDX-License-Identifier: LGPL-2.1-or-later
#include "floor.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include "model/unique_fd.h"

namespace p2pd::bench {

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

void read_attributes(const std::filesystem::path& sysfs_root) {
  std::array<char, 4096> buffer{};
  const auto devices = sysfs_root / "bus/pci/devices";
  const std::unique_ptr<DIR, CloseDirectory> list(::opendir(devices.c_str()));
  if (!list) throw std::system_error(errno, std::generic_category(), devices.string());
  for (const auto* entry = ::readdir(list.get()); entry != nullptr; entry = ::readdir(list.get())) {
    if (entry->d_name[0] == '.') continue;
    const UniqueFd function(::openat(::dirfd(list.get()), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // What sources/live_function.cpp reads.
    for (const auto* name :
         {"vendor", "device", "subsystem_vendor", "subsystem_device", "class", "revision", "driver_override", "numa_node",
          "iommu_group/type", "iommu_group/reserved_regions", "power_state", "power/runtime_status", "resource", "config"}) {
      const UniqueFd file(::openat(function.get(), name, O_RDONLY | O_CLOEXEC));
      static_cast<void>(::read(file.get(), buffer.data(), buffer.size()));
    }
    for (const auto* name : {"driver", "iommu_group", "physfn", "virtfn0"})
      static_cast<void>(::readlinkat(function.get(), name, buffer.data(), buffer.size()));
    static_cast<void>(::readlinkat(::dirfd(list.get()), entry->d_name, buffer.data(), buffer.size()));
  }
}

}  // namespace p2pd::bench
