// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/grant_name.h"

#include <fmt/format.h>

namespace p2pd {

namespace {

bool is_holding(const GrantId& grant) { return std::holds_alternative<HoldingId>(grant); }

std::uint64_t number_of(const GrantId& grant) {
  return std::visit([](const auto& id) { return id.value; }, grant);
}

}  // namespace

std::string text_of(const GrantId& grant) {
  return fmt::format("{}/{}", is_holding(grant) ? "holding" : "mapping", number_of(grant));
}

std::string stored_name(const GrantId& grant, char suffix) {
  return fmt::format("{}{:x}.{}", is_holding(grant) ? 'h' : 'm', number_of(grant), suffix);
}

bool is_holding_name(std::string_view stored) { return stored.starts_with('h'); }

bool is_target_name(std::string_view stored) { return stored.starts_with('t'); }

std::string stored_target_name(std::uint64_t number, char suffix) { return fmt::format("t{:x}.{}", number, suffix); }

}  // namespace p2pd
