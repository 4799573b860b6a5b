// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace p2pd {

namespace {

constexpr std::size_t longest_quote = 80;

// Length of the well-formed sequence at the begin of `text` (Unicode 15 table 3-7), 0 = not one.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t index) { return static_cast<std::uint8_t>(text[index]); };
  const auto in = [&](std::size_t index, unsigned low, unsigned high) {
    return index < text.size() && byte(index) >= low && byte(index) <= high;
  };
  const unsigned lead = byte(0);
  if (lead != 0 && lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return in(1, 0x80, 0xbf) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const unsigned low = lead == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : 0xbf;  // no surrogates
    return in(1, low, high) && in(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const unsigned low = lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xf4 ? 0x8f : 0xbf;
    return in(1, low, high) && in(2, 0x80, 0xbf) && in(3, 0x80, 0xbf) ? 4 : 0;
  }
  return 0;
}

bool is_control(char character) {
  const auto byte = static_cast<std::uint8_t>(character);
  return byte < 0x20 || byte == 0x7f;
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  // Nearly all there is: names and addresses in ASCII.
  if (std::all_of(text.begin(), text.end(), [](char character) { return character > 0; })) return std::string{text};
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto length = sequence_length(text);
    if (length == 0)
      result += '?';
    else
      result += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

std::string printable(std::string_view text) {
  const bool cut = text.size() > longest_quote;
  std::string result{text.substr(0, longest_quote)};
  std::replace_if(result.begin(), result.end(), is_control, '?');
  return valid_utf8(result) + (cut ? "..." : "");
}

bool has_control_characters(std::string_view text) { return std::any_of(text.begin(), text.end(), is_control); }

}  // namespace p2pd
