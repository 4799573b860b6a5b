// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How the kernel asks for a function back: VFIO_PCI_REQ_IRQ_INDEX.
#pragma once

#include "mapping/kernel_calls.h"
#include "model/reason.h"
#include "model/unique_fd.h"

namespace p2pd {

// OpenedFunction::tell_when_wanted() for the device's fd.
[[nodiscard]] Outcome<UniqueFd> make_wanted_eventfd(const KernelCalls& calls, int device);

}  // namespace p2pd
