// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One function that is open through VFIO type1, with its container and group.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mapping/kernel_calls.h"
#include "mapping/transaction.h"
#include "mapping/vfio.h"

namespace p2pd {

// Of the container's name in the fd store.
inline constexpr char type1_suffix = 'c';

struct Type1Files {
  UniqueFd group;
  UniqueFd container;
  UniqueFd device;
};

[[nodiscard]] std::unique_ptr<OpenedFunction> make_type1_function(std::string name, Type1Files files,
                                                                  std::vector<Range<Iova>> valid_iovas, KernelCalls calls,
                                                                  FaultInjector fail);

// Everything that is mapped in this container.
[[nodiscard]] Outcome<void> unmap_whole_container(const KernelCalls& calls, int container);

}  // namespace p2pd
