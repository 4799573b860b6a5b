// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"

namespace p2pclient::cli {

Command disable_command() {
  return {.name = "disable",
          .summary = "ends a target",
          .declare = [](CLI::App& app) -> Command::Run {
            struct Arguments {
              std::string target;
              TakeBackOptions options;
            };
            const auto arguments = std::make_shared<Arguments>();
            add_target(app, arguments->target);
            add_take_back(app, arguments->options);
            return [arguments](Context& context) {
              context.client().disable(arguments->target, arguments->options);
              context.print_done("disabled", arguments->target);
              return exit_yes;
            };
          },
          .action = "org.p2pd1.enable-target"};
}

}  // namespace p2pclient::cli
