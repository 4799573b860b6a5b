// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/give_up.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <exception>

namespace p2pd {

void give_up(const std::string& why) noexcept {
  spdlog::critical("{}: giving up, the next start of p2pd unmaps everything", why);
  std::abort();
}

void give_up_on_exception(const char* callback) noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    give_up(fmt::format("{}: {}", callback, error.what()));
  } catch (...) {
    give_up(fmt::format("{}: an exception of unknown kind", callback));
  }
}

}  // namespace p2pd
