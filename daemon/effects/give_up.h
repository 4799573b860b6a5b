// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What must not go on half done: an address space that does not unmap, a callback of the event loop that throws.
#pragma once

#include <string>

namespace p2pd {

// Logs why and aborts. systemd starts the next life of the daemon, and that one unmaps everything first, from the fd store.
[[noreturn]] void give_up(const std::string& why) noexcept;
// For a catch block.
[[noreturn]] void give_up_on_exception(const char* callback) noexcept;

// Around the body of every callback of sd-event: an exception would run through frames of C. None of them may go on after
// one: what it was about to say (a lease ended, a device went, a kernel call came back) nobody says again, and the state may
// be half changed.
template <class Body>
int or_give_up(const char* callback, Body&& body) noexcept {
  try {
    body();
  } catch (...) {
    give_up_on_exception(callback);
  }
  return 0;
}

}  // namespace p2pd
