// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/text.h"

namespace p2pclient::cli {

Command show_command() {
  return {.name = "show",
          .summary = "everything that is known about a function",
          .declare = [](CLI::App& app) -> Command::Run {
            const auto addresses = std::make_shared<std::vector<std::string>>();
            app.add_option("FUNCTION", *addresses, "addresses, dddd:bb:dd.f")->required()->type_name("");
            return [addresses](Context& context) {
              const auto source = context.source();
              std::vector<Device> devices;
              for (const auto& address : *addresses) devices.push_back(source->device(address));
              if (context.json()) {
                context.print(functions_json(devices));
                return exit_yes;
              }
              for (const auto& device : devices) context.print(show_text(device));
              return exit_yes;
            };
          },
          .works_offline = true};
}

}  // namespace p2pclient::cli
