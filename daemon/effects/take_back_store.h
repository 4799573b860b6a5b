// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the last daemon left in the fd store: live mappings and their leases.
#pragma once

#include "mapping/back_ends.h"
#include "state/fd_store.h"

namespace p2pd {

// Unmaps all in every address space, ends every lease, empties the store, closes. A holding whose address space does not unmap
// stays in the store as it is. Before everything else that a daemon does at its start: nothing that can fail or take long may
// come between a crash and the unmap.
void take_back_store(const BackEnds& back_ends, FdStore& store);

}  // namespace p2pd
