// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The one wrapper around every callback that sdbus-c++, sd-bus or sd-event call. An exception that leaves one kills the
// daemon (sdbus-c++ 1.2) or runs through frames of C: no client may have that in its hands.
#pragma once

#include <utility>

#include "bus/errors.h"

namespace p2pd {

// For methods and property getters of generated adaptors: only sdbus::Error leaves, which the library turns into an answer.
template <class Body>
decltype(auto) guard(const char* what, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const sdbus::Error&) {
    throw;
  } catch (...) {
    throw to_error(reason_of_exception(what));
  }
}

// For handlers and getters of a vtable: `body` returns what sd-bus is to get.
template <class Body>
int guard_vtable(const char* what, sd_bus_error* error, Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    return set_error_of_exception(what, error);
  }
}

// For replies, matches and event sources: there is nobody to tell but the log.
template <class Body>
void guard_callback(const char* what, Body&& body) noexcept {
  try {
    std::forward<Body>(body)();
  } catch (...) {
    (void)reason_of_exception(what);
  }
}

}  // namespace p2pd
