// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Numbers of holdings and mappings that are never given out twice between two boots, restarts of the daemon included:
// a client that kept an old object path must not find somebody else's grant there.
#pragma once

#include <cstdint>
#include <filesystem>

namespace p2pd {

// Reserves the next million numbers in `directory` (a file on tmpfs) and returns the first.
[[nodiscard]] std::uint64_t reserve_grant_ids(const std::filesystem::path& directory);

}  // namespace p2pd
