// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/owner_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace p2pd {

namespace {

// Readable when the process has ended: pidfd_open(2).
bool has_ended(int pidfd, std::chrono::milliseconds within = {}) {
  pollfd end{.fd = pidfd, .events = POLLIN, .revents = 0};
  return ::poll(&end, 1, static_cast<int>(within.count())) != 0;
}

// proc(5), fdinfo: -1 once it was waited for.
pid_t pid_of(int pidfd) {
  std::ifstream stream(fmt::format("/proc/self/fdinfo/{}", pidfd));
  for (std::string word; stream >> word;) {
    pid_t pid = -1;
    if (word == "Pid:" && stream >> pid) return pid;
  }
  return -1;
}

// The owner of /proc/PID says root of every program that may not be dumped; its status says who it is.
bool runs_as(pid_t pid, uid_t uid) {
  std::ifstream stream(fmt::format("/proc/{}/status", pid));
  for (std::string word; stream >> word;) {
    uid_t real = 0;
    uid_t effective = 0;
    if (word == "Uid:" && stream >> real >> effective) return real == uid || effective == uid;
  }
  return false;
}

}  // namespace

UniqueFd open_process(pid_t pid, uid_t uid) {
  if (pid <= 1) return {};
  // Not by <sys/pidfd.h>: glibc 2.36 declares it for C only.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd || !pid_of_user(pidfd.get(), uid)) return {};
  return pidfd;
}

std::optional<pid_t> pid_of_user(int pidfd, uid_t uid) {
  const auto pid = pid_of(pidfd);
  if (pid <= 1 || pid == ::getpid() || !runs_as(pid, uid)) return std::nullopt;
  // It has not ended, so what was read was its own.
  if (has_ended(pidfd)) return std::nullopt;
  return pid;
}

bool end_process(int pidfd, std::chrono::milliseconds patience) {
  // A process that is gone already has ended as well.
  static_cast<void>(::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0));
  // Files are closed before the end is told: exit.c do_exit.
  return has_ended(pidfd, patience);
}

}  // namespace p2pd
