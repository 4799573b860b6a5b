// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The system calls that the back ends make. Tests answer them instead of the kernel: every errno at every step.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace p2pd {

// Each returns and sets errno like the call it is named after.
struct KernelCalls {
  std::function<int(const std::string& path)> open;  // O_RDWR | O_CLOEXEC
  std::function<int(int fd, unsigned long request, void* argument)> ioctl;
  std::function<void*(std::size_t length, int protection, int fd, off_t offset)> mmap_shared;
  std::function<ssize_t(int fd, void* data, std::size_t size, off_t offset)> pread;
  std::function<ssize_t(int fd, const void* data, std::size_t size, off_t offset)> pwrite;
};

[[nodiscard]] KernelCalls real_kernel_calls();

// VFIO takes small numbers where other calls take a pointer.
[[nodiscard]] inline void* as_argument(std::uintptr_t number) {
  return reinterpret_cast<void*>(number);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace p2pd
