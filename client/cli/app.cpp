// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>

#include "cli/command.h"
#include "cli/exit_code.h"

namespace p2pclient::cli {

namespace {

// What can be done next, where the error itself does not say.
std::string advice(const Error& error, const Command& command) {
  if (error.is_unreachable())
    return "start p2pd with `systemctl start p2pd` (Debian package p2pd); without it, `--dump FILE` shows the output of "
           "`lspci -xxxx`";
  if (!error.is_refusal() || command.action.empty()) return {};
  return "`" + command.name + "` needs " + command.action + ": " +
         (command.action.starts_with("org.p2pd1.acquire")
              ? "members of the group p2p have it (`adduser USER p2p`, then log in again), and root"
              : "administrators have it, through polkit's question for a password; without polkit only root, e.g. with sudo");
}

int fail(const Terminal& terminal, const std::string& text, int status) {
  terminal.err << "p2p-client: error: " << text << '\n';
  return status;
}

int run_command(const Command& command, const Command::Run& run, Context& context, const Terminal& terminal) {
  try {
    return run(context);
  } catch (const Error& error) {
    const int status = fail(terminal, error.what(), exit_code(error));
    if (const auto next = advice(error, command); !next.empty()) terminal.err << "p2p-client: hint: " << next << '\n';
    return command.failure.value_or(status);
  } catch (const std::exception& error) {
    return fail(terminal, error.what(), command.failure.value_or(exit_no));
  }
}

void add_global_options(CLI::App& app, GlobalOptions& options) {
  app.add_flag("--json", options.json, "JSON, schema p2p-client/1");
  add_dump_options(app, options.dump);
  app.add_option("--bus", options.bus, "system, session or a D-Bus address (system)")->type_name("BUS");
  app.add_flag("--no-ask-password", options.no_ask_password, "never ask for a password");
  app.add_option("--color", options.color, "auto, always or never (auto)")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}).description(""));
}

struct Declared {
  const Command* command = nullptr;
  CLI::App* app = nullptr;
  Command::Run run;
};

// After `--` comes another program's command line: CLI11 must not see it, it would take words like `[1,2]` apart.
std::vector<std::string> cut_rest(std::vector<std::string>& arguments) {
  const auto mark = std::find(arguments.begin(), arguments.end(), "--");
  if (mark == arguments.end()) return {};
  std::vector<std::string> rest(mark + 1, arguments.end());
  arguments.erase(mark, arguments.end());
  return rest;
}

}  // namespace

int run(const std::vector<std::string>& arguments, const Terminal& terminal) {
  CLI::App app{"Which PCI devices can move data straight into each other's memory, and the mappings for it.", "p2p-client"};
  GlobalOptions options;
  add_global_options(app, options);
  app.set_version_flag("--version", std::string("p2p-client ") + P2PD_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("REQUIRED", "");
  app.fallthrough();

  std::vector<Declared> declared;
  for (const auto& command : commands()) {
    auto* const sub = app.add_subcommand(command.name, command.summary);
    declared.push_back({&command, sub, command.declare(*sub)});
  }

  auto own = arguments;
  auto rest = cut_rest(own);
  const auto chosen = [&] {
    const auto found = std::find_if(declared.begin(), declared.end(), [](const Declared& one) { return one.app->parsed(); });
    return found == declared.end() ? nullptr : &*found;
  };
  try {
    std::reverse(own.begin(), own.end());  // as CLI11 wants a vector
    app.parse(own);
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked, terminal.out, terminal.err);
    return exit_yes;
  } catch (const CLI::ParseError& error) {
    const auto* const one = chosen();
    const auto unknown = app.remaining();
    if (one == nullptr && !unknown.empty())
      fail(terminal, "there is no command `" + unknown.front() + "`", exit_usage);
    else
      fail(terminal, error.what(), exit_usage);
    terminal.err << "p2p-client: hint: `p2p-client " << (one != nullptr ? one->command->name + " " : "") << "--help`\n";
    return one != nullptr ? one->command->failure.value_or(exit_usage) : exit_usage;
  }

  const auto& [command, sub, run_it] = *chosen();
  if (!rest.empty() && !command->takes_a_program)
    return fail(terminal, "`" + command->name + "` takes no program after `--`", exit_usage);
  if (!options.dump.file.empty() && !command->works_offline)
    return fail(terminal, "`" + command->name + "` cannot work on a dump", command->failure.value_or(exit_usage));
  if (const auto option = options.dump.without_a_dump(); !option.empty())
    return fail(terminal, option + " is for --dump: p2pd knows its own machine", command->failure.value_or(exit_usage));
  Context context(terminal, options, std::move(rest), !command->action.empty());
  return run_command(*command, run_it, context, terminal);
}

}  // namespace p2pclient::cli
