// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The answers of VFIO that have a chain of capabilities behind them. linux/vfio.h, vfio_info_cap_header.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "mapping/kernel_calls.h"
#include "mapping/vfio_failure.h"
#include "model/reason.h"

namespace p2pd {

// False when it is cut short. No optional: some of these structures end in an array without a length.
template <class T>
[[nodiscard]] bool read_at(std::span<const std::byte> buffer, std::size_t offset, T& value) {
  if (offset > buffer.size() || buffer.size() - offset < sizeof(T)) return false;
  std::memcpy(&value, buffer.data() + offset, sizeof(T));
  return true;
}

// Calls twice: the first answer says how much room the capabilities need.
template <class Info>
[[nodiscard]] Outcome<std::vector<std::byte>> read_info(const KernelCalls& calls, int fd, unsigned long request, const char* what,
                                                        Info question) {
  question.argsz = sizeof(Info);
  if (calls.ioctl(fd, request, &question) < 0) return refuse_vfio(VfioCall::other, what, errno);
  // The kernel never needs more than some pages; what it says is checked like everybody's numbers.
  constexpr std::size_t limit = std::size_t{1} << 20;
  std::vector<std::byte> buffer(std::clamp<std::size_t>(question.argsz, sizeof(Info), limit));
  question.argsz = static_cast<std::uint32_t>(buffer.size());
  std::memcpy(buffer.data(), &question, sizeof(Info));
  if (calls.ioctl(fd, request, buffer.data()) < 0) return refuse_vfio(VfioCall::other, what, errno);
  return buffer;
}

// Where the capability begins in the buffer.
[[nodiscard]] std::optional<std::size_t> find_capability(std::span<const std::byte> buffer, std::size_t first, std::uint16_t id);

}  // namespace p2pd
