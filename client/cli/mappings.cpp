// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/text.h"

namespace p2pclient::cli {

Command mappings_command() {
  return {.name = "mappings", .summary = "what is held and mapped, and by whom", .declare = [](CLI::App&) -> Command::Run {
            return [](Context& context) {
              const auto client = context.client();
              const auto holdings = client.holdings();
              const auto mappings = client.mappings();
              context.print(context.json() ? grants_json(holdings, mappings) : grants_text(holdings, mappings, context.style()));
              return exit_yes;
            };
          }};
}

}  // namespace p2pclient::cli
