// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who was lent memory of a kernel driver. Its descriptor outlives p2pd, so restarts of the daemon must not forget it; what a
// boot makes is new.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>

#include "model/address.h"
#include "model/reason.h"

namespace p2pd {

struct LentPool {
  std::optional<std::uint64_t> pool;  // PeerMemory::pool; nothing: could not be read, so whichever there is now
  uid_t uid = static_cast<uid_t>(-1);
  bool operator==(const LentPool&) const = default;
};

// One file for each function in `directory`, which is on tmpfs. What cannot be read was lent to nobody that there is, so that
// everybody is refused what it is about.
[[nodiscard]] std::map<Address, LentPool> read_lent_pools(const std::filesystem::path& directory);

// Whole or not at all.
[[nodiscard]] Outcome<void> write_lent_pool(const std::filesystem::path& directory, const Address& device, const LentPool& lent);
void forget_lent_pool(const std::filesystem::path& directory, const Address& device);

}  // namespace p2pd
