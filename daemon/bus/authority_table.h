// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who may call what: one row for each method of the contract. A method without a row is refused.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "arbiter/command.h"

namespace p2pd {

enum class Right : std::uint8_t {
  everybody,  // reads only
  owner,      // of the object, or root: the arbiter, which knows the owner, decides
  root,       // nobody else, no polkit action
  polkit,     // root, or whom polkit lets do `action`
};

struct Row {
  std::string_view interface;
  std::string_view method;
  Right right = Right::root;
  std::optional<Action> action;  // for Right::polkit
};

// Map on a route that does not pass the IOMMU needs Action::switch_route in addition.
[[nodiscard]] std::span<const Row> authority_table();
[[nodiscard]] const Row* find_row(std::string_view interface, std::string_view method);

// "org.p2pd1.enable-target".
[[nodiscard]] const char* name_of(Action action);
// What would grant it, for the end of a refusal.
[[nodiscard]] const char* grant_hint(Action action);

}  // namespace p2pd
