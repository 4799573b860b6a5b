// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Numbers of requests, holdings and mappings. Never reused, not over a restart of the daemon either.
#pragma once

#include <compare>
#include <cstdint>
#include <variant>

namespace p2pd {

template <class Tag>
struct Id {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const Id&) const = default;
};

using RequestId = Id<struct RequestTag>;
using HoldingId = Id<struct HoldingTag>;
using MappingId = Id<struct MappingTag>;

// What a lease can hold.
using GrantId = std::variant<HoldingId, MappingId>;

}  // namespace p2pd
