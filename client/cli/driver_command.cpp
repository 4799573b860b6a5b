// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/driver_command.h"

#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/exit_code.h"

namespace p2pclient::cli {

Command driver_command(const DriverChange& what) {
  return {.name = what.name,
          .summary = what.summary,
          .declare = [what](CLI::App& app) -> Command::Run {
            struct Arguments {
              std::string address;
              bool force = false;
              bool group = false;
            };
            const auto arguments = std::make_shared<Arguments>();
            add_function(app, arguments->address);
            app.add_flag("--force", arguments->force, what.force);
            app.add_flag("--group", arguments->group, "all functions of its IOMMU group, or none");
            return [arguments, what](Context& context) {
              auto client = context.client();
              (client.*what.change)(arguments->address, arguments->force, arguments->group);
              context.print_done(what.done, arguments->address);
              return exit_yes;
            };
          },
          .action = "org.p2pd1.bind-driver"};
}

}  // namespace p2pclient::cli
