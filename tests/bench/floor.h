// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The least that anybody must do who wants to know what p2pd knows: opens, reads and closes these attributes of each
// function, and makes nothing of them.
#pragma once

#include <filesystem>

namespace p2pd::bench {

void read_attributes(const std::filesystem::path& sysfs_root);

}  // namespace p2pd::bench
