// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the back ends find the kernel, and what they refuse on sight.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "mapping/kernel_calls.h"
#include "mapping/transaction.h"
#include "model/reason.h"

namespace p2pd {

struct BackEndOptions {
  std::filesystem::path device_directory = "/dev";
  std::filesystem::path sysfs_root = "/sys";
  std::filesystem::path proc_root = "/proc";
  KernelCalls calls = real_kernel_calls();
  FaultInjector fail;  // tests only
};

// Whoever can make a device raise any interrupt can take over the host: design "never lent".
[[nodiscard]] Outcome<void> refuse_unsafe_interrupts(const BackEndOptions& options);
[[nodiscard]] Outcome<void> refuse_no_iommu(const BackEndOptions& options);
// Its devices have no IOMMU behind them.
[[nodiscard]] Outcome<void> refuse_noiommu_group(const BackEndOptions& options, std::uint32_t iommu_group);

}  // namespace p2pd
