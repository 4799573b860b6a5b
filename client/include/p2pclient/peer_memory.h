// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory of a device that its kernel driver registered with p2pdma (an NVMe controller memory buffer): for O_DIRECT reads and
// writes, by which a disk transfers straight from or to that device.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "p2pclient/file_descriptor.h"
#include "p2pclient/lease.h"

namespace p2pclient {

class Connection;

// A piece of it in this process; given back to the pool when it goes. The CPU does not cache it: it is slow to read, and wants
// aligned accesses. Do not touch it when the driver may have been unbound: that is a SIGBUS.
class PeerMapping {
 public:
  PeerMapping(PeerMapping&& other) noexcept;
  PeerMapping& operator=(PeerMapping&& other) noexcept;
  PeerMapping(const PeerMapping&) = delete;
  PeerMapping& operator=(const PeerMapping&) = delete;
  ~PeerMapping();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }

 private:
  friend class PeerMemory;
  PeerMapping(std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Move only. When it goes, its lease ends, and the memory may be lent again: to this user, to no other until the driver was
// unbound. Nothing takes the memory away from who has mapped it, nor the descriptor: unmap before. Outlives the Client
// that made it.
class PeerMemory {
 public:
  PeerMemory(PeerMemory&&) noexcept;
  PeerMemory& operator=(PeerMemory&&) noexcept;
  ~PeerMemory();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }  // object path on the bus
  // The kernel's, of the whole pool: each mmap takes a piece. Stays this object's.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] Lease& lease() noexcept { return lease_; }

  // Takes a piece: bytes, rounded up to whole pages, what was asked for at most if it is to be there for sure. Throws
  // std::system_error (ENOMEM: none so long is free); std::invalid_argument for 0.
  [[nodiscard]] PeerMapping map(std::size_t length) const;

  // Gives it back and waits. Throws Error.
  void release();

 private:
  friend class Client;
  PeerMemory(std::shared_ptr<Connection> connection, std::string path, FileDescriptor fd, Lease lease) noexcept;

  std::shared_ptr<Connection> connection_;
  std::string path_;
  FileDescriptor fd_;
  Lease lease_;
};

}  // namespace p2pclient
