// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory that can be given to an initiator: a memfd that can no longer shrink (p2pd takes no other, because a page that
// goes away under the IOMMU would be somebody else's soon).
#pragma once

#include <cstddef>
#include <span>

#include "p2pclient/file_descriptor.h"

namespace p2pclient {

class Buffer {
 public:
  // `size` in bytes, rounded up to whole pages; filled with zeros. Throws std::system_error; std::invalid_argument for 0.
  explicit Buffer(std::size_t size);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  // Takes the memory away from this process only: a mapping that p2pd made keeps the pages until it ends.
  ~Buffer();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  // The memfd; stays the buffer's.
  [[nodiscard]] int fd() const noexcept { return memfd_.get(); }

 private:
  void unmap() noexcept;

  FileDescriptor memfd_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace p2pclient
