// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/memfd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

namespace p2pd {

Outcome<void> check_memfd(int fd, Bytes offset, Bytes length, Access access) {
  const auto refused = [](std::string text) { return refuse(ErrorCode::invalid_argument, std::move(text)); };

  // Answered by the kernel's own shmem and hugetlbfs only (memfd.c memfd_fcntl): from here on no file system of a client's
  // is asked anything.
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0) return refused("the memory is not a memfd (F_GET_SEALS fails on it)");
  if ((seals & F_SEAL_SHRINK) == 0)
    return refused("the memfd can shrink under the mapping: create it with MFD_ALLOW_SEALING and add F_SEAL_SHRINK");

  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return refuse_errno("F_GETFL on the memfd", errno);
  const int mode = flags & O_ACCMODE;
  if (mode != O_RDONLY && mode != O_RDWR) return refused("the memfd is not open for reading");
  if (allows(access, Access::write)) {
    if (mode != O_RDWR) return refused("the memfd is open for reading only, and access w needs writing");
    if ((seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0)
      return refused("the memfd is sealed against writing, and access w needs it");
  }

  if (!is_page_aligned(offset.value) || !is_page_aligned(length.value))
    return refused(
        fmt::format("offset {:#x} and length {:#x} must be multiples of {}", offset.value, length.value, page_size.value));
  if (length.value == 0) return refused("the length is zero");
  const auto range = make_range(Iova{offset.value}, length);
  if (!range) return refused("offset and length do not fit into 64 bits");
  struct stat status{};
  if (::fstat(fd, &status) < 0) return refuse_errno("fstat on the memfd", errno);
  if (range->last() >= static_cast<std::uint64_t>(status.st_size))
    return refused(fmt::format("offset {:#x} and length {:#x} reach beyond the memfd's {:#x} bytes", offset.value, length.value,
                               static_cast<std::uint64_t>(status.st_size)));
  return {};
}

}  // namespace p2pd
