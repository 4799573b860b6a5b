// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"

namespace p2pclient::cli {

Command withdraw_command() {
  return {.name = "withdraw",
          .summary = "ends an offer",
          .declare = [](CLI::App& app) -> Command::Run {
            struct Arguments {
              std::string initiator;
              TakeBackOptions options;
            };
            const auto arguments = std::make_shared<Arguments>();
            add_initiator(app, arguments->initiator);
            add_take_back(app, arguments->options);
            return [arguments](Context& context) {
              context.client().withdraw(arguments->initiator, arguments->options);
              context.print_done("withdrawn", arguments->initiator);
              return exit_yes;
            };
          },
          .action = "org.p2pd1.offer-initiator"};
}

}  // namespace p2pclient::cli
