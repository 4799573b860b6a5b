// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/command.h"

namespace p2pclient::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> table{
      list_command(),    show_command(),    tree_command(),   matrix_command(),  check_command(),    explain_command(),
      export_command(),  capture_command(), enable_command(), disable_command(), offer_command(),    withdraw_command(),
      bind_command(),    unbind_command(),  reset_command(),  hold_command(),    mappings_command(), release_command(),
      monitor_command(), doctor_command(),  version_command()};
  return table;
}

}  // namespace p2pclient::cli
