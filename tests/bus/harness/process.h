// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Child processes and places that go when their owner goes.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/deadline.h"
#include "model/unique_fd.h"

namespace p2pd::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Writes the whole file anew; its directory must be there.
void write_file(const std::filesystem::path& file, const std::string& text);
[[nodiscard]] std::string read_file(const std::filesystem::path& file);

class ChildProcess {
 public:
  struct Program {
    std::vector<std::string> arguments;                // the first one is the program's path
    std::map<std::string, std::string> environment{};  // all that it gets
    std::filesystem::path log;                         // its stdout and stderr
    int keep = -1;                                     // a descriptor that it gets under the same number; no other
  };
  explicit ChildProcess(const Program& program);
  // Runs `body` in a fork that has only the descriptors 0 to 2 and `keep`; `body` may do nothing but system calls.
  ChildProcess(int keep, void (*body)());
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  // SIGKILL if it still runs.
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }
  void send(int signal) const;
  [[nodiscard]] bool is_running() const;
  // Waits until it has gone; its exit status, or minus the signal that killed it.
  int wait();
  int kill() {
    send(9);
    return wait();
  }

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<int> status_;
};

}  // namespace p2pd::test
