// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The border between our outcomes and D-Bus errors: one table from ErrorCode to org.p2pd1.Error.*.
#pragma once

#include <stdexcept>
#include <string>

#include "bus/compat.h"
#include "model/reason.h"

namespace p2pd {

[[nodiscard]] const char* error_name(ErrorCode code);

// What a client reads: one sentence, valid UTF-8.
[[nodiscard]] std::string error_text(const Reason& reason);

[[nodiscard]] sdbus::Error to_error(const Reason& reason);

// The exception in flight as a reason: Failed. Says nothing of our insides; those go to the log, with `what` was running.
// Only inside a catch block.
[[nodiscard]] Reason reason_of_exception(const char* what) noexcept;

// The same for a callback of C: sets `error` and returns what sd-bus wants. Only inside a catch block.
int set_error_of_exception(const char* what, sd_bus_error* error) noexcept;

// For calls of sd-bus that fail only when memory or the connection does: throws std::system_error.
int must(int result, const char* what);

}  // namespace p2pd
