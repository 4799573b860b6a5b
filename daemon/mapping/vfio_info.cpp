// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/vfio_info.h"

#include <linux/vfio.h>

namespace p2pd {

std::optional<std::size_t> find_capability(std::span<const std::byte> buffer, std::size_t first, std::uint16_t id) {
  // No chain is longer than this: a loop in it ends.
  constexpr int longest_chain = 64;
  std::size_t offset = first;
  for (int count = 0; offset != 0 && count < longest_chain; ++count) {
    vfio_info_cap_header header{};
    if (!read_at(buffer, offset, header)) return std::nullopt;
    if (header.id == id) return offset;
    offset = header.next;
  }
  return std::nullopt;
}

}  // namespace p2pd
