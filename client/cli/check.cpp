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
            const auto arguments = std::make_shared<PairArguments>();
            add_pair(app, *arguments);
            return [arguments](Context& context) {
              const auto source = context.source();
              const auto verdict = source->check(arguments->initiator, arguments->target, arguments->address_bits);
              context.print(context.json() ? verdict_json(verdict) : verdict_text(verdict));
              context.note_unknowns(*source);
              return exit_code(verdict.answer);
            };
          },
          .works_offline = true};
}

}  // namespace p2pclient::cli
