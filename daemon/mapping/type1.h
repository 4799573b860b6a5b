// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The back end `vfio-type1`: a group and a container for each function, mappings by MAP_DMA. linux/vfio.h.
#pragma once

#include <filesystem>
#include <memory>

#include "mapping/kernel_calls.h"
#include "mapping/transaction.h"
#include "mapping/vfio.h"

namespace p2pd {

struct Type1Options {
  std::filesystem::path vfio_directory = "/dev/vfio";
  std::filesystem::path sysfs_root = "/sys";
  KernelCalls calls = real_kernel_calls();
  FaultInjector fail;  // tests only
};

[[nodiscard]] std::unique_ptr<Vfio> make_type1(Type1Options options = {});

}  // namespace p2pd
