// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/format.h"
#include "cli/hold_environment.h"

namespace p2pclient::cli {

namespace {

struct Arguments {
  std::string initiator;
  std::string target;
  AcquireOptions acquire;
  MapOptions map;
};

void inherit(int fd) {
  if (::fcntl(fd, F_SETFD, 0) != 0) throw std::system_error(errno, std::generic_category(), "F_SETFD");
}

// Becomes the program; comes back only when that fails.
int become(const std::vector<std::string>& program) {
  std::vector<char*> arguments;
  arguments.reserve(program.size() + 1);
  for (const auto& word : program) arguments.push_back(const_cast<char*>(word.c_str()));  // execvp changes nothing
  arguments.push_back(nullptr);
  ::execvp(arguments.front(), arguments.data());
  return errno;
}

int hold(Context& context, const Arguments& arguments) {
  if (context.rest().empty()) throw Error(std::string(error_name::invalid_argument), "no program given: hold A B:BAR -- COMMAND");
  auto client = context.client();
  auto holding = client.acquire(arguments.initiator, arguments.acquire);
  const auto mapping = holding.map(arguments.target, arguments.map);
  context.stop_asking();

  // The lease goes with the program: it holds as long as the program (or a child of it) lives, and ends with kill -9 too.
  const Held held{mapping.cookie(), mapping.length(), mapping.path(), holding.lease().fd(), holding.device_fd()};
  inherit(held.lease_fd);
  inherit(held.device_fd);
  for (const auto& [name, value] : environment_of(held)) ::setenv(name.c_str(), value.c_str(), 1);  // NOLINT: one thread

  const int error = become(context.rest());
  context.fail("cannot run `" + context.rest().front() + "`: " + std::generic_category().message(error));
  return error == ENOENT ? exit_no_such_program : exit_cannot_run;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> environment_of(const Held& held) {
  return {{"P2P_COOKIE", hex(held.cookie.value)},
          {"P2P_LENGTH", std::to_string(held.length)},
          {"P2P_MAPPING", held.mapping},
          {"P2P_LEASE_FD", std::to_string(held.lease_fd)},
          {"P2P_DEVICE_FD", std::to_string(held.device_fd)}};
}

Command hold_command() {
  return {
      .name = "hold",
      .summary = "runs a program that holds an initiator and a mapping of a target",
      .declare = [](CLI::App& app) -> Command::Run {
        const auto arguments = std::make_shared<Arguments>();
        add_pair(app, arguments->initiator, arguments->target);
        add_address_bits(app, arguments->acquire.address_bits);
        app.add_option("--backend", arguments->acquire.backend, "iommufd or vfio-type1 (the preferred one that can)")
            ->type_name("NAME");
        add_access(app, arguments->map.access, "what the initiator may do: r, w or rw (what was enabled)");
        app.footer(
            "-- COMMAND [ARGUMENT]...  is run with P2P_COOKIE, P2P_LENGTH, P2P_MAPPING, P2P_LEASE_FD and P2P_DEVICE_FD in its\n"
            "environment; the exit status is its own, or 125 (p2p-client failed), 126 (it cannot be run), 127 (no such "
            "program).");
        return [arguments](Context& context) { return hold(context, *arguments); };
      },
      .action = "org.p2pd1.acquire and org.p2pd1.map",
      .takes_a_program = true,
      .failure = exit_hold_failed};
}

}  // namespace p2pclient::cli
