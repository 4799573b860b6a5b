// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Exit status of p2p-client: the answer, or why there is none.
#pragma once

#include "p2pclient/error.h"
#include "p2pclient/verdict.h"

namespace p2pclient::cli {

inline constexpr int exit_yes = 0;  // or done
inline constexpr int exit_no = 1;   // or not done
inline constexpr int exit_unknown = 2;
inline constexpr int exit_not_permitted = 3;
inline constexpr int exit_usage = 64;        // EX_USAGE of sysexits.h
inline constexpr int exit_unreachable = 69;  // EX_UNAVAILABLE
// `hold` runs another program, whose status is its own: so its own failures are those of env(1).
inline constexpr int exit_hold_failed = 125;
inline constexpr int exit_cannot_run = 126;
inline constexpr int exit_no_such_program = 127;

[[nodiscard]] int exit_code(Answer answer);
[[nodiscard]] int exit_code(const Error& error);

}  // namespace p2pclient::cli
