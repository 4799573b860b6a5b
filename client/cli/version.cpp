// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/text.h"

namespace p2pclient::cli {

namespace {

// What this program is must be told without p2pd too.
std::optional<DaemonInfo> try_daemon(Context& context, std::string& why_not) {
  try {
    return context.client().info();
  } catch (const Error& error) {
    if (!error.is_unreachable()) throw;
    why_not = error.what();
    return std::nullopt;
  }
}

}  // namespace

Command version_command() {
  return {.name = "version",
          .summary = "versions of p2p-client and p2pd, and what p2pd can do on this machine",
          .declare = [](CLI::App&) -> Command::Run {
            return [](Context& context) {
              std::string why_not;
              const auto daemon = try_daemon(context, why_not);
              if (context.json()) {
                context.print(version_json(P2PD_VERSION, daemon));
              } else {
                context.print(std::string("p2p-client ") + P2PD_VERSION + "\n" + (daemon ? info_text(*daemon) : ""));
                if (daemon)
                  for (const auto& problem : daemon->problems) context.note(problem);
                else
                  context.note("p2pd does not answer: " + why_not);
              }
              return daemon ? exit_yes : exit_unreachable;
            };
          }};
}

}  // namespace p2pclient::cli
