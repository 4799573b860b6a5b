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
              bool all = false;
            };
            const auto arguments = std::make_shared<Arguments>();
            app.add_option("--initiator", arguments->initiators, "only this one; may be given again (all that are no bridges)")
                ->type_name("FUNCTION");
            app.add_option("--target", arguments->targets, "only this one; may be given again (all memory BARs of those)")
                ->type_name("TARGET");
            app.add_flag("--all", arguments->all, "every function by itself: fold nothing");
            return [arguments](Context& context) {
              const auto source = context.source();
              const auto matrix = source->check_all(arguments->initiators, arguments->targets);
              if (context.json())
                context.print(matrix_json(matrix));
              else
                context.print(matrix_text(matrix, arguments->all ? fold_nothing(matrix) : fold(matrix, source->devices()),
                                          context.style()));
              for (const auto& problem : source->problems()) context.note(problem);
              context.note_unknowns(*source);
              return exit_yes;
            };
          },
          .works_offline = true};
}

}  // namespace p2pclient::cli
