// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A file of platform.d: it is read, or refused with file and line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "platform/platform_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace p2pd;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto origin : {FileOrigin::shipped, FileOrigin::from_operator}) {
    const auto file = parse_platform_file(text, "file.toml", origin);
    if (!file && !file.error().text.starts_with("file.toml:")) std::abort();
  }
  return 0;
}
