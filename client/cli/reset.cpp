// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"

namespace p2pclient::cli {

Command reset_command() {
  return {.name = "reset",
          .summary = "resets a function, after taking back what uses it",
          .declare = [](CLI::App& app) -> Command::Run {
            struct Arguments {
              std::string address;
              TakeBackOptions options;
            };
            const auto arguments = std::make_shared<Arguments>();
            add_function(app, arguments->address);
            add_take_back(app, arguments->options);
            return [arguments](Context& context) {
              context.client().reset(arguments->address, arguments->options);
              context.print_done("reset", arguments->address);
              return exit_yes;
            };
          },
          .action = "org.p2pd1.revoke"};
}

}  // namespace p2pclient::cli
