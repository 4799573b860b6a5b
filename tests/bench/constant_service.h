// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Somebody on the bus who answers Manager.Check with what p2pd answered once: what the method costs when nobody thinks.
#pragma once

#include <string>

namespace p2pd::bench {

// One of the names that the private bus lets root own.
inline constexpr const char* constant_name = "org.example.Idle";

// Serves until it is killed.
[[noreturn]] void serve_constant(const std::string& bus);

}  // namespace p2pd::bench
