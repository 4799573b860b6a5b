// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A file descriptor that is closed when its owner goes.
#pragma once

#include <utility>

namespace p2pclient {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  // Takes `fd` over; -1 is empty.
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset(int fd = -1) noexcept;

  // A second descriptor of the same file, with CLOEXEC. Throws std::system_error.
  [[nodiscard]] FileDescriptor duplicate() const { return copy_of(fd_); }
  [[nodiscard]] static FileDescriptor copy_of(int fd);

 private:
  int fd_ = -1;
};

}  // namespace p2pclient
