// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/explanation.h"

namespace p2pclient::cli {

Command explain_command() {
  return {.name = "explain",
          .summary = "the same with the path hop by hop, and what else the function reaches",
          .declare = [](CLI::App& app) -> Command::Run {
            const auto arguments = std::make_shared<PairArguments>();
            add_pair(app, *arguments);
            return [arguments](Context& context) {
              const auto source = context.source();
              const auto explanation = explain(*source, arguments->initiator, arguments->target, arguments->address_bits);
              context.print(context.json() ? explanation_json(explanation) : explanation_text(explanation, context.style()));
              context.note_unknowns(*source);
              return exit_code(explanation.verdict.answer);
            };
          },
          .works_offline = true};
}

}  // namespace p2pclient::cli
