// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/exit_code.h"

namespace p2pclient::cli {

Command bind_command() {
  return {.name = "bind",
          .summary = "gives a function to vfio-pci",
          .declare = [](CLI::App& app) -> Command::Run {
            struct Arguments {
              std::string address;
              bool force = false;
            };
            const auto arguments = std::make_shared<Arguments>();
            app.add_option("FUNCTION", arguments->address, "its address, dddd:bb:dd.f")->required()->type_name("");
            app.add_flag("--force", arguments->force, "although something uses it");
            return [arguments](Context& context) {
              context.client().bind(arguments->address, arguments->force);
              context.print_done("bound", arguments->address);
              return exit_yes;
            };
          },
          .action = "org.p2pd1.bind-driver"};
}

}  // namespace p2pclient::cli
