// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/exit_code.h"

namespace p2pclient::cli {

Command unbind_command() {
  return {.name = "unbind",
          .summary = "gives a function back to the kernel's own driver",
          .declare = [](CLI::App& app) -> Command::Run {
            struct Arguments {
              std::string address;
              bool force = false;
            };
            const auto arguments = std::make_shared<Arguments>();
            app.add_option("FUNCTION", arguments->address, "its address, dddd:bb:dd.f")->required()->type_name("");
            app.add_flag("--force", arguments->force, "take it from who uses it through p2pd");
            return [arguments](Context& context) {
              context.client().unbind(arguments->address, arguments->force);
              context.print_done("unbound", arguments->address);
              return exit_yes;
            };
          },
          .action = "org.p2pd1.bind-driver"};
}

}  // namespace p2pclient::cli
