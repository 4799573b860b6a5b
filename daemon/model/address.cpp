// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model/address.h"

#include <fmt/format.h>

#include <charconv>

namespace p2pd {

namespace {

// Hex digits only: from_chars would take a minus sign.
template <class Number>
std::optional<Number> parse_hex(std::string_view digits, unsigned long largest) {
  if (digits.empty() || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) return std::nullopt;
  unsigned long value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc{} || end != digits.data() + digits.size() || value > largest) return std::nullopt;
  return static_cast<Number>(value);
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
  // The tail has a fixed form, ":bb:dd.f"; what is before it is the domain.
  constexpr std::size_t tail = std::string_view(":bb:dd.f").size();
  if (text.size() < tail + 4 || text.size() > tail + 8) return std::nullopt;
  const auto domain_digits = text.substr(0, text.size() - tail);
  const auto rest = text.substr(text.size() - tail);
  if (rest[0] != ':' || rest[3] != ':' || rest[6] != '.') return std::nullopt;

  const auto domain = parse_hex<std::uint32_t>(domain_digits, 0xffffffffUL);
  const auto bus = parse_hex<std::uint8_t>(rest.substr(1, 2), 0xff);
  const auto device = parse_hex<std::uint8_t>(rest.substr(4, 2), 0x1f);
  const auto function = parse_hex<std::uint8_t>(rest.substr(7, 1), 7);
  if (!domain || !bus || !device || !function) return std::nullopt;
  // "00010000:…" names the same function as "10000:…": one spelling for each.
  if (domain_digits.size() > 4 && domain_digits[0] == '0') return std::nullopt;
  return Address{*domain, *bus, *device, *function};
}

std::string Address::to_string() const { return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", domain, bus, device, function); }

}  // namespace p2pd
