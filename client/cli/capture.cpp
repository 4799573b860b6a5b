// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sources/capture.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/exit_code.h"

namespace p2pclient::cli {

Command capture_command() {
  return {.name = "capture",
          .summary = "a dump of this machine, for --dump and `lspci -F`",
          .declare = [](CLI::App& app) -> Command::Run {
            const auto strip = std::make_shared<bool>(false);
            app.add_flag("--strip", *strip, "without serial numbers, names, and all else that no rule reads");
            return [strip](Context& context) {
              if (context.json()) {
                context.fail("`capture` prints a dump, which is not JSON");
                return exit_usage;
              }
              const auto captured =
                  p2pd::capture({.strip = *strip}, [&](const std::string& text) { return context.print_now(text); });
              if (!captured) {
                context.fail(captured.error().text);
                return exit_no;
              }
              if (captured->cut != 0)
                context.note(
                    fmt::format("config space of {} of {} functions could not be read to its end, and counts as unknown: "
                                "run it as root",
                                captured->cut, captured->functions));
              return exit_yes;
            };
          }};
}

}  // namespace p2pclient::cli
