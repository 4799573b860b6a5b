// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A system call that failed for no reason that a caller could act on.
#pragma once

#include <cerrno>
#include <system_error>

namespace p2pclient {

[[noreturn]] inline void fail(const char* call) { throw std::system_error(errno, std::generic_category(), call); }

}  // namespace p2pclient
