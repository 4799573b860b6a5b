// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the last daemon left in the fd store: live mappings and their leases.
#pragma once

#include "mapping/vfio.h"
#include "state/fd_store.h"

namespace p2pd {

// Unmaps all in every container, ends every lease, empties the store, closes. A holding whose container does not unmap stays
// in the store as it is. Before everything else that a daemon does at its start: nothing that can fail or take long may come
// between a crash and the unmap.
void take_back_store(Vfio& vfio, FdStore& store);

}  // namespace p2pd
