// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"

namespace p2pclient::cli {

Command enable_command() {
  return {.name = "enable",
          .summary = "makes a BAR, or a part of it, a target for peers",
          .declare = [](CLI::App& app) -> Command::Run {
            struct Arguments {
              std::string target;
              EnableOptions options;
              bool shared = false;
            };
            const auto arguments = std::make_shared<Arguments>();
            add_target(app, arguments->target);
            app.add_flag("--shared", arguments->shared, "several clients at a time; they share the contents");
            add_access(app, arguments->options.access, "the most that a mapping may ask for: r, w or rw (as each asks)");
            app.add_flag("--force", arguments->options.force, "also pages that hold the MSI-X table");
            return [arguments](Context& context) {
              auto options = arguments->options;
              options.exclusive = !arguments->shared;
              context.client().enable(arguments->target, options);
              context.print_done("enabled", arguments->target);
              return exit_yes;
            };
          },
          .action = "org.p2pd1.enable-target"};
}

}  // namespace p2pclient::cli
