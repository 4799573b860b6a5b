// SPDX-License-Identifier: LGPL-2.1-or-later
#include "p2pclient/peer_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

#include "connection.h"
#include "fail.h"
#include "holding_impl.h"

namespace p2pclient {

PeerMapping::PeerMapping(PeerMapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

PeerMapping& PeerMapping::operator=(PeerMapping&& other) noexcept {
  // What we had goes with `gone`.
  const PeerMapping gone(std::move(*this));
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

PeerMapping::~PeerMapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

PeerMemory::PeerMemory(std::shared_ptr<Connection> connection, std::string path, FileDescriptor fd, Lease lease) noexcept
    : connection_(std::move(connection)), path_(std::move(path)), fd_(std::move(fd)), lease_(std::move(lease)) {}
PeerMemory::PeerMemory(PeerMemory&&) noexcept = default;
PeerMemory& PeerMemory::operator=(PeerMemory&&) noexcept = default;
PeerMemory::~PeerMemory() = default;

PeerMapping PeerMemory::map(std::size_t length) const {
  if (length == 0) throw std::invalid_argument("a piece of 0 bytes");
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto size = (length + page - 1) / page * page;
  // p2pdma.c p2pmem_alloc_mmap() takes no other flags and no other offset.
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  if (memory == MAP_FAILED) fail("mmap of peer memory");  // NOLINT: the macro is a C cast
  return {static_cast<std::byte*>(memory), size};
}

void PeerMemory::release() {
  release_grant(*connection_, path_);
  lease_.end();
  fd_.reset();
}

}  // namespace p2pclient
