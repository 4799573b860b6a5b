// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Addresses as types of their own (an IOVA, a PCI bus address and a CPU physical address are three different things, and
// a mixed-up one must not compile), and the directions of a mapping. Sizes are plain numbers of bytes.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace p2pclient {

enum class AddressKind : std::uint8_t { iova, bus, cpu };

template <AddressKind kind>
struct MemoryAddress {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const MemoryAddress&) const = default;
};

using Iova = MemoryAddress<AddressKind::iova>;       // what the initiator puts into its requests: cookies are IOVAs
using BusAddress = MemoryAddress<AddressKind::bus>;  // what a BAR register decodes
using CpuAddress = MemoryAddress<AddressKind::cpu>;  // where the CPU sees a BAR; sysfs `resource`

// What the initiator may do to the memory or target that is mapped, as the IOMMU enforces it.
enum class Access : std::uint8_t { read, write, read_write };

// "r", "w", "rw", as on the bus.
[[nodiscard]] std::string_view to_string(Access access);
// Nothing for anything else.
[[nodiscard]] std::optional<Access> parse_access(std::string_view text);

}  // namespace p2pclient
