// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The address of a PCI function, `dddd:bb:dd.f`: lower case, domain of four or more hex digits
// (VMD and Hyper-V domains have five and more).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace p2pd {

struct Address {
  std::uint32_t domain = 0;
  std::uint8_t bus = 0;
  std::uint8_t device = 0;    // 0..31
  std::uint8_t function = 0;  // 0..7

  constexpr auto operator<=>(const Address&) const = default;

  // Accepts exactly what to_string() writes, upper-case hex digits too. Never the short form without a domain:
  // a client that leaves it out may mean another function than we would guess.
  [[nodiscard]] static std::optional<Address> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
};

}  // namespace p2pd
