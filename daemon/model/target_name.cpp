// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model/target_name.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

namespace p2pd {

namespace {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<TargetName> TargetName::parse(std::string_view text) {
  // The address ends two characters after its dot: "dddd:bb:dd.f:2:0x1000+0x2000".
  const auto dot = text.find('.');
  if (dot == std::string_view::npos || text.size() < dot + 4 || text[dot + 2] != ':') return std::nullopt;
  const auto device = Address::parse(text.substr(0, dot + 2));
  text.remove_prefix(dot + 3);

  const auto colon = text.find(':');
  const auto bar_text = text.substr(0, colon);
  if (!device || bar_text.size() != 1 || bar_text[0] < '0' || bar_text[0] >= static_cast<char>('0' + bar_count))
    return std::nullopt;
  TargetName name{*device, static_cast<unsigned>(bar_text[0] - '0'), {}, {}};
  if (colon == std::string_view::npos) return name;

  const auto range = text.substr(colon + 1);
  const auto plus = range.find('+');
  if (plus == std::string_view::npos) return std::nullopt;
  const auto offset = parse_number(range.substr(0, plus));
  const auto length = parse_number(range.substr(plus + 1));
  if (!offset || !length || *length == 0 || *length > std::numeric_limits<std::uint64_t>::max() - *offset) return std::nullopt;
  name.offset = Bytes{*offset};
  name.length = Bytes{*length};
  return name;
}

std::string TargetName::to_string() const {
  auto text = fmt::format("{}:{}", device.to_string(), bar);
  if (offset.value != 0 || length.value != 0) text += fmt::format(":{:#x}+{:#x}", offset.value, length.value);
  return text;
}

}  // namespace p2pd
