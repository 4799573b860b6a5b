// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is behind a Holding, shared between client.cpp, which makes them, and holding.cpp.
#pragma once

#include <memory>
#include <string>

#include "p2pclient/holding.h"

namespace p2pclient {

struct Holding::Impl {
  std::shared_ptr<Connection> connection;
  std::string path;
  std::string initiator;
  std::string backend;
  FileDescriptor device_fd;
  Lease lease;
};

// Paths are opaque, but which interface an object has is written in them: documented as /org/p2pd1/mapping/N.
[[nodiscard]] bool is_mapping_path(const std::string& path);
// Release() of a holding or mapping. Throws Error.
void release_grant(Connection& connection, const std::string& path);

}  // namespace p2pclient
