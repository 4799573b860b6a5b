// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A file descriptor that a client made. Its close can block: a TCP socket may linger, a file of the client's own FUSE may
// never answer. So it is closed away from the loop and from the worker (effects/closers.cpp).
#pragma once

#include <utility>

#include "model/unique_fd.h"

namespace p2pd {

class ForeignFd {
 public:
  ForeignFd() = default;
  ForeignFd(UniqueFd file) : file_(std::move(file)) {}  // NOLINT(google-explicit-constructor): from now on it is one
  ForeignFd(ForeignFd&&) noexcept = default;
  ForeignFd& operator=(ForeignFd&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ForeignFd(const ForeignFd&) = delete;
  ForeignFd& operator=(const ForeignFd&) = delete;
  ~ForeignFd() {
    if (file_) close_elsewhere(std::move(file_));
  }

  [[nodiscard]] int get() const { return file_.get(); }
  explicit operator bool() const { return static_cast<bool>(file_); }
  // A copy that keeps CLOEXEC, or an empty one.
  [[nodiscard]] ForeignFd duplicate() const { return UniqueFd::duplicate(file_.get()); }

 private:
  static void close_elsewhere(UniqueFd file) noexcept;

  UniqueFd file_;
};

}  // namespace p2pd
