// SPDX-License-Identifier: LGPL-2.1-or-later
#include "p2pclient/file_descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace p2pclient {

void FileDescriptor::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

FileDescriptor FileDescriptor::copy_of(int fd) {
  FileDescriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) throw std::system_error(errno, std::generic_category(), "F_DUPFD_CLOEXEC");
  return copy;
}

}  // namespace p2pclient
