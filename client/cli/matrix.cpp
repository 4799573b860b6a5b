// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/text.h"

namespace p2pclient::cli {

Command matrix_command() {
  return {.name = "matrix",
          .summary = "which functions could reach which BARs",
          .declare = [](CLI::App& app) -> Command::Run {
            struct Arguments {
              std::vector<std::string> initiators;
              std::vector<std::string> targets;
            };
            const auto arguments = std::make_shared<Arguments>();
            app.add_option("--initiator", arguments->initiators, "only this one; may be given again (all that are no bridges)")
                ->type_name("FUNCTION");
            app.add_option("--target", arguments->targets, "only this one; may be given again (all memory BARs of those)")
                ->type_name("TARGET");
            return [arguments](Context& context) {
              const auto source = context.source();
              const auto matrix = source->check_all(arguments->initiators, arguments->targets);
              context.print(context.json() ? matrix_json(matrix) : matrix_text(matrix, context.style()));
              for (const auto& problem : source->problems()) context.note(problem);
              return exit_yes;
            };
          },
          .works_offline = true};
}

}  // namespace p2pclient::cli
