// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/wire_size.h"

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace p2pd::test {

namespace {

int must(int result) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), "reading a message");
  return result;
}

std::size_t alignment_of(char type) {
  switch (type) {
    case 'n':
    case 'q': return 2;
    case 'x':
    case 't':
    case 'd':
    case '(':
    case '{':
    case 'r':
    case 'e': return 8;
    case 'y':
    case 'g':
    case 'v': return 1;
    default: return 4;
  }
}

std::size_t aligned(std::size_t at, char type) {
  const auto unit = alignment_of(type);
  return (at + unit - 1) / unit * unit;
}

// Where the values that are left in this container end, when the next one begins at `at`.
std::size_t end_of(sd_bus_message* message, std::size_t at) {
  char type = 0;
  const char* contents = nullptr;
  while (must(sd_bus_message_peek_type(message, &type, &contents)) > 0) {
    at = aligned(at, type);
    if (contents != nullptr) {
      if (type == 'v') at += 1 + std::strlen(contents) + 1;
      if (type == 'a') at = aligned(at + 4, contents[0]);
      must(sd_bus_message_enter_container(message, type, contents));
      at = end_of(message, at);
      must(sd_bus_message_exit_container(message));
    } else if (type == 's' || type == 'o' || type == 'g') {
      const char* text = nullptr;
      must(sd_bus_message_read_basic(message, type, static_cast<void*>(&text)));
      at += (type == 'g' ? 1 : 4) + std::strlen(text) + 1;
    } else {
      std::uint64_t value = 0;
      must(sd_bus_message_read_basic(message, type, &value));
      at += type == 'y' ? 1 : (type == 'd' ? 8 : alignment_of(type));
    }
  }
  return at;
}

}  // namespace

std::size_t body_size(sd_bus_message* message) {
  must(sd_bus_message_rewind(message, 1));
  const auto size = end_of(message, 0);
  must(sd_bus_message_rewind(message, 1));
  return size;
}

}  // namespace p2pd::test
