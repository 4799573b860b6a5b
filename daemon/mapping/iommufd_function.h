// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One function that is open through its cdev, with the I/O address space (IOAS) that it is attached to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mapping/kernel_calls.h"
#include "mapping/transaction.h"
#include "mapping/vfio.h"

namespace p2pd {

// Of the iommufd's name in the fd store.
inline constexpr char iommufd_suffix = 'i';
// iommufd counts its objects from 1 (iommufd_fops_open: XA_FLAGS_ALLOC1). The IOAS is made first, so that whoever finds only
// the file descriptor knows its number.
inline constexpr std::uint32_t first_object = 1;

struct IommufdFiles {
  UniqueFd iommufd;
  UniqueFd device;
};

[[nodiscard]] std::unique_ptr<OpenedFunction> make_iommufd_function(std::string name, IommufdFiles files,
                                                                    std::vector<Range<Iova>> valid_iovas, KernelCalls calls,
                                                                    FaultInjector fail);

// The ranges that the IOMMU can map, without reserved regions.
[[nodiscard]] Outcome<void> read_ioas_iovas(const KernelCalls& calls, int iommufd, std::vector<Range<Iova>>& ranges);

// Everything that is mapped in this IOAS.
[[nodiscard]] Outcome<void> unmap_whole_ioas(const KernelCalls& calls, int iommufd);

}  // namespace p2pd
