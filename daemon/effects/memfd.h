// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether memory that a client passed may be mapped for DMA.
#pragma once

#include "model/access.h"
#include "model/reason.h"
#include "model/units.h"

namespace p2pd {

// A memfd sealed against shrinking, open for what the initiator may do, with the page-aligned range inside of it.
// Asks nothing of the file's file system, which could be the client's own (FUSE) and never answer.
[[nodiscard]] Outcome<void> check_memfd(int fd, Bytes offset, Bytes length, Access access);

}  // namespace p2pd
