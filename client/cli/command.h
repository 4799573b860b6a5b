// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A command of p2p-client, and the table of all of them. One file each.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"

namespace CLI {
class App;
}

namespace p2pclient::cli {

struct Command {
  // Does it and says the exit status.
  using Run = std::function<int(Context&)>;

  std::string name;
  std::string summary;
  // Adds its options and arguments to `app`; what it returns is run after parsing.
  std::function<Run(CLI::App& app)> declare;
  // What must be granted for it; "" = nothing. Several, when the command does several things.
  std::string action;
  bool works_offline = false;    // understands --dump
  bool takes_a_program = false;  // understands `-- COMMAND…`
  // The exit status of every failure of its own, where its status belongs to another program.
  std::optional<int> failure;
};

[[nodiscard]] Command list_command();
[[nodiscard]] Command show_command();
[[nodiscard]] Command tree_command();
[[nodiscard]] Command matrix_command();
[[nodiscard]] Command check_command();
[[nodiscard]] Command explain_command();
[[nodiscard]] Command export_command();
[[nodiscard]] Command capture_command();
[[nodiscard]] Command enable_command();
[[nodiscard]] Command disable_command();
[[nodiscard]] Command offer_command();
[[nodiscard]] Command withdraw_command();
[[nodiscard]] Command bind_command();
[[nodiscard]] Command unbind_command();
[[nodiscard]] Command reset_command();
[[nodiscard]] Command hold_command();
[[nodiscard]] Command mappings_command();
[[nodiscard]] Command release_command();
[[nodiscard]] Command monitor_command();
[[nodiscard]] Command doctor_command();
[[nodiscard]] Command version_command();

// In the order of --help.
[[nodiscard]] const std::vector<Command>& commands();

}  // namespace p2pclient::cli
