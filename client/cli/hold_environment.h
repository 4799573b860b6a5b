// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What `hold` tells the program that it runs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "p2pclient/units.h"

namespace p2pclient::cli {

struct Held {
  Iova cookie;
  std::uint64_t length = 0;  // bytes
  std::string mapping;       // object path
  int lease_fd = -1;
  int device_fd = -1;
};

// Names and values: P2P_COOKIE (hex), P2P_LENGTH (bytes), P2P_MAPPING, P2P_LEASE_FD, P2P_DEVICE_FD.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> environment_of(const Held& held);

}  // namespace p2pclient::cli
