// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/kernel_calls.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace p2pd {

KernelCalls real_kernel_calls() {
  return {.open = [](const std::string& path) { return ::open(path.c_str(), O_RDWR | O_CLOEXEC); },
          .ioctl = [](int fd, unsigned long request, void* argument) { return ::ioctl(fd, request, argument); },
          .mmap_shared = [](std::size_t length, int protection, int fd,
                            off_t offset) { return ::mmap(nullptr, length, protection, MAP_SHARED, fd, offset); },
          .pread = [](int fd, void* data, std::size_t size, off_t offset) { return ::pread(fd, data, size, offset); },
          .pwrite = [](int fd, const void* data, std::size_t size, off_t offset) { return ::pwrite(fd, data, size, offset); }};
}

}  // namespace p2pd
