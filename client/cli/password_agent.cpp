// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/password_agent.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "p2pclient/file_descriptor.h"

namespace p2pclient::cli {

PasswordAgent::PasswordAgent() {
  if (::geteuid() == 0 || ::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) return;

  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
  const FileDescriptor registered(ends[0]);
  FileDescriptor notify(ends[1]);

  // pkttyagent closes the descriptor that it is told of when it has registered. It may have no CLOEXEC in the agent: so
  // it is put there by number, and nowhere else.
  constexpr int number_in_agent = 3;
  posix_spawn_file_actions_t actions;
  if (::posix_spawn_file_actions_init(&actions) != 0) return;
  ::posix_spawn_file_actions_adddup2(&actions, notify.get(), number_in_agent);

  std::string program = "pkttyagent";
  std::string notify_option = "--notify-fd";
  std::string number = std::to_string(number_in_agent);
  std::string fallback = "--fallback";  // an agent of the session goes first
  const std::array<char*, 5> arguments{program.data(), notify_option.data(), number.data(), fallback.data(), nullptr};
  if (::posix_spawnp(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environ) != 0) pid_ = -1;
  ::posix_spawn_file_actions_destroy(&actions);

  notify.reset();
  char byte = 0;
  while (pid_ > 0 && ::read(registered.get(), &byte, 1) < 0 && errno == EINTR) {
  }
}

PasswordAgent::~PasswordAgent() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  ::kill(pid_, SIGCONT);  // it may wait for the terminal
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace p2pclient::cli
