// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/command.h"
#include "cli/exit_code.h"

namespace p2pclient::cli {

namespace {

// As `mappings` prints it, "holding/3", or the whole path.
std::string find_path(const Client& client, const std::string& name) {
  std::vector<std::string> paths;
  for (const auto& holding : client.holdings()) paths.push_back(holding.path);
  for (const auto& mapping : client.mappings()) paths.push_back(mapping.path);
  const auto found = std::find_if(paths.begin(), paths.end(),
                                  [&](const std::string& path) { return path == name || path.ends_with("/" + name); });
  if (found == paths.end()) throw Error(std::string(error_name::not_found), "nothing is held or mapped as `" + name + "`");
  return *found;
}

}  // namespace

Command release_command() {
  return {.name = "release",
          .summary = "gives a holding or mapping back, and waits until it is unmapped",
          .declare = [](CLI::App& app) -> Command::Run {
            const auto name = std::make_shared<std::string>();
            app.add_option("GRANT", *name, "as `mappings` prints it: holding/N or mapping/N")->required()->type_name("");
            return [name](Context& context) {
              auto client = context.client();
              const auto path = find_path(client, *name);
              client.release(path);
              context.print_done("released", path);
              return exit_yes;
            };
          }};
}

}  // namespace p2pclient::cli
