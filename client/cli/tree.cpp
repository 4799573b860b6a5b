// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/text.h"

namespace p2pclient::cli {

Command tree_command() {
  return {.name = "tree",
          .summary = "the PCI tree with its BARs",
          .declare = [](CLI::App&) -> Command::Run {
            return [](Context& context) {
              const auto source = context.source();
              const auto devices = source->devices();
              context.print(context.json() ? tree_json(devices) : tree_text(devices, context.style()));
              for (const auto& problem : source->problems()) context.note(problem);
              return exit_yes;
            };
          },
          .works_offline = true};
}

}  // namespace p2pclient::cli
