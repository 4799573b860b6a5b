// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/text.h"

namespace p2pclient::cli {

Command check_command() {
  return {.name = "check",
          .summary = "can this function reach that BAR, and what is against it",
          .declare = [](CLI::App& app) -> Command::Run {
            struct Arguments {
              std::string initiator;
              std::string target;
              std::optional<unsigned> address_bits;
            };
            const auto arguments = std::make_shared<Arguments>();
            add_pair(app, arguments->initiator, arguments->target);
            add_address_bits(app, arguments->address_bits);
            return [arguments](Context& context) {
              const auto verdict = context.source()->check(arguments->initiator, arguments->target, arguments->address_bits);
              context.print(context.json() ? verdict_json(verdict) : verdict_text(verdict));
              return exit_code(verdict.answer);
            };
          },
          .works_offline = true};
}

}  // namespace p2pclient::cli
