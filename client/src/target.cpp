// SPDX-License-Identifier: LGPL-2.1-or-later
#include "target.h"

#include <charconv>
#include <string_view>

#include "p2pclient/error.h"

namespace p2pclient {

namespace {

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const bool is_hex = text.starts_with("0x");
  if (is_hex) text.remove_prefix(2);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, is_hex ? 16 : 10);
  return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

bool split(std::string_view text, TargetParts& parts) {
  // The address has colons of its own and ends two characters after its dot.
  const auto dot = text.find('.');
  if (dot == std::string_view::npos || text.size() < dot + 4 || text[dot + 2] != ':') return false;
  parts.device = text.substr(0, dot + 2);
  text.remove_prefix(dot + 3);

  const auto colon = text.find(':');
  if (!parse_number(text.substr(0, colon), parts.bar)) return false;
  if (colon == std::string_view::npos) return true;
  const auto range = text.substr(colon + 1);
  const auto plus = range.find('+');
  // A length of 0 would silently mean the rest of the BAR.
  return plus != std::string_view::npos && parse_number(range.substr(0, plus), parts.offset) &&
         parse_number(range.substr(plus + 1), parts.length) && parts.length != 0;
}

}  // namespace

TargetParts split_target(const std::string& target) {
  TargetParts parts;
  if (!split(target, parts))
    throw Error(std::string(error_name::invalid_argument), "`" + target + "` is no target: ADDRESS:BAR[:OFFSET+LENGTH]");
  return parts;
}

}  // namespace p2pclient
