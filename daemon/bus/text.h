// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Foreign text on its way out: into a message (the bus disconnects who sends invalid UTF-8) or into an error and a log
// line (which a client must not be able to break or to flood).
#pragma once

#include <string>
#include <string_view>

namespace p2pd {

// Bytes that are not UTF-8, and NUL, become '?'.
[[nodiscard]] std::string valid_utf8(std::string_view text);

// For quoting in one sentence: valid, no control characters, at most 80 bytes.
[[nodiscard]] std::string printable(std::string_view text);

[[nodiscard]] bool has_control_characters(std::string_view text);

}  // namespace p2pd
