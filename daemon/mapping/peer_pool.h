// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory that a kernel driver registered with p2pdma, as sysfs hands it out: each mmap of `p2pmem/allocate` takes a piece of
// the pool, each munmap gives it back. drivers/pci/p2pdma.c p2pmem_alloc_mmap()
#pragma once

#include <cstdint>
#include <filesystem>

#include "mapping/kernel_calls.h"
#include "model/address.h"
#include "model/reason.h"
#include "model/unique_fd.h"
#include "model/units.h"

namespace p2pd {

struct PeerPool {
  UniqueFd allocate;
  Bytes available;  // when it was opened
};

// `pool`: PeerMemory::pool; Gone when the function has no such one any more.
[[nodiscard]] Outcome<PeerPool> open_peer_pool(const std::filesystem::path& sysfs_root, const Address& device,
                                               std::uint64_t pool);

// Takes all that is available, writes zeros over it and gives it back: the kernel hands out memory with what the last user left
// in it. Busy when `length` bytes are not free in one piece. Slow: the CPU does not cache such memory.
[[nodiscard]] Outcome<void> scrub(const PeerPool& pool, Bytes length, const KernelCalls& calls);

}  // namespace p2pd
