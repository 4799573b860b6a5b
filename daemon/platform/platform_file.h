// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One file of platform.d, from text to tables. docs/platform.md has the format.
#pragma once

#include <string>
#include <string_view>

#include "model/reason.h"
#include "platform/tables.h"

namespace p2pd {

struct PlatformFile {
  PlatformTables tables;
  bool is_unsafe = false;  // `unsafe = true` for the whole file
  bool operator==(const PlatformFile&) const = default;
};

// Shipped with p2pd, or an operator's, who may say yes to something only by saying `unsafe = true` too.
enum class FileOrigin : std::uint8_t { shipped, from_operator };

// `FILE:LINE: why` of what is wrong first.
[[nodiscard]] Outcome<PlatformFile> parse_platform_file(std::string_view text, const std::string& file, FileOrigin origin);

}  // namespace p2pd
