// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/mman.h>

#include <utility>

#include "mapping/vfio.h"

namespace p2pd {

CpuMapping::CpuMapping(CpuMapping&& other) noexcept
    : begin_(std::exchange(other.begin_, nullptr)), length_(std::exchange(other.length_, 0)) {}

CpuMapping& CpuMapping::operator=(CpuMapping&& other) noexcept {
  // What we had goes with `gone`.
  const CpuMapping gone(std::move(*this));
  begin_ = std::exchange(other.begin_, nullptr);
  length_ = std::exchange(other.length_, 0);
  return *this;
}

CpuMapping::~CpuMapping() {
  if (begin_ != nullptr) ::munmap(begin_, length_);
}

}  // namespace p2pd
