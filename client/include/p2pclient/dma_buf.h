// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A target as a dma-buf, for importers in the kernel: RDMA memory regions, iommufd.
#pragma once

#include <memory>
#include <string>

#include "p2pclient/file_descriptor.h"
#include "p2pclient/lease.h"

namespace p2pclient {

class Connection;

// Move only. When it goes, its lease ends: p2pd closes the target's function, and whoever imported the buffer has lost its
// memory; copies of the descriptor do not keep it. Outlives the Client that made it.
class DmaBuf {
 public:
  DmaBuf(DmaBuf&&) noexcept;
  DmaBuf& operator=(DmaBuf&&) noexcept;
  ~DmaBuf();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }  // object path on the bus
  // The whole target, from its first byte; read and write; stays this object's. Linux gives it no mmap.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] Lease& lease() noexcept { return lease_; }

  // Gives it back and waits: when it returns, no importer reaches the target by it any more. Throws Error.
  void release();

 private:
  friend class Client;
  DmaBuf(std::shared_ptr<Connection> connection, std::string path, FileDescriptor fd, Lease lease) noexcept;

  std::shared_ptr<Connection> connection_;
  std::string path_;
  FileDescriptor fd_;
  Lease lease_;
};

}  // namespace p2pclient
