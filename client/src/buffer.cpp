// SPDX-License-Identifier: LGPL-2.1-or-later
#include "p2pclient/buffer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

#include "fail.h"

namespace p2pclient {

Buffer::Buffer(std::size_t size) {
  if (size == 0) throw std::invalid_argument("a buffer of 0 bytes");
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  size_ = (size + page - 1) / page * page;

  memfd_.reset(::memfd_create("p2pclient", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memfd_) fail("memfd_create");
  if (::ftruncate(memfd_.get(), static_cast<off_t>(size_)) != 0) fail("ftruncate of a memfd");
  if (::fcntl(memfd_.get(), F_ADD_SEALS, F_SEAL_SHRINK) != 0) fail("F_ADD_SEALS");
  void* const memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_.get(), 0);
  if (memory == MAP_FAILED) fail("mmap of a memfd");  // NOLINT: the macro is a C cast
  data_ = static_cast<std::byte*>(memory);
}

Buffer::Buffer(Buffer&& other) noexcept
    : memfd_(std::move(other.memfd_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    unmap();
    memfd_ = std::move(other.memfd_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Buffer::~Buffer() { unmap(); }

void Buffer::unmap() noexcept {
  if (data_ != nullptr) ::munmap(data_, size_);
  data_ = nullptr;
}

}  // namespace p2pclient
