// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The process that a device was lent to, by its pidfd: what is done to it never hits another one that has got its pid since.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>

#include "model/unique_fd.h"

namespace p2pd {

// Empty when it has gone, runs as another user, or is one that p2pd must never end: pid 1, and p2pd itself. Whether the pid
// was anybody else's meanwhile is for the caller to rule out.
[[nodiscard]] UniqueFd open_process(pid_t pid, uid_t uid);

// Nothing when it has ended, or (by exec of a program with other rights) is not this user's any more.
[[nodiscard]] std::optional<pid_t> pid_of_user(int pidfd, uid_t uid);

// SIGKILL. True when it has ended within the time, and with it its files are closed.
[[nodiscard]] bool end_process(int pidfd, std::chrono::milliseconds patience);

}  // namespace p2pd
