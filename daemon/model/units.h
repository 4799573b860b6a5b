// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Addresses and sizes as types of their own: an IOVA, a PCI bus address and a CPU physical address
// are three different things, and a mixed-up one must not compile.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>

namespace p2pd {

// A number of bytes.
struct Bytes {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const Bytes&) const = default;
};

template <class Tag>
struct MemoryAddress {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const MemoryAddress&) const = default;
};

using Iova = MemoryAddress<struct IovaTag>;              // what an initiator puts into its requests
using BusAddress = MemoryAddress<struct BusAddressTag>;  // what a BAR register decodes
using CpuAddress = MemoryAddress<struct CpuAddressTag>;  // what sysfs `resource` shows

// A range [begin, begin + length). Never wraps: make_range() is the only way to check foreign numbers.
template <class Address>
struct Range {
  Address begin;
  Bytes length;

  constexpr auto operator<=>(const Range&) const = default;
  [[nodiscard]] constexpr std::uint64_t last() const { return begin.value + length.value - 1; }
  [[nodiscard]] constexpr bool overlaps(const Range& other) const {
    return length.value != 0 && other.length.value != 0 && begin.value <= other.last() && other.begin.value <= last();
  }
  [[nodiscard]] constexpr bool contains(const Range& other) const {
    return length.value != 0 && other.length.value != 0 && begin.value <= other.begin.value && other.last() <= last();
  }
};

// Nothing when the range is empty or its last byte does not fit into 64 bits.
template <class Address>
[[nodiscard]] constexpr std::optional<Range<Address>> make_range(Address begin, Bytes length) {
  if (length.value == 0 || length.value - 1 > std::numeric_limits<std::uint64_t>::max() - begin.value) return std::nullopt;
  return Range<Address>{begin, length};
}

// The unit of IOMMU mappings and of BAR ranges on the architectures that we run on (VFIO refuses less).
inline constexpr Bytes page_size{4096};

[[nodiscard]] constexpr bool is_page_aligned(std::uint64_t value) { return value % page_size.value == 0; }

}  // namespace p2pd
