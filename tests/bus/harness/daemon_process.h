// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2pd as a child process: the daemon itself on a fake VFIO, looked at from outside as an administrator could, and at what
// its VFIO saw.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "harness/process.h"

namespace p2pd::test {

class DaemonProcess {
 public:
  struct Settings {
    std::string bus;                  // address
    std::filesystem::path directory;  // for its configuration, state, log, and what its VFIO saw
    std::filesystem::path sysfs_root;
    std::filesystem::path proc_root;
    std::string configuration;  // text of p2pd.toml
  };
  // Returns when it is ready, as the service manager would know it: READY=1.
  explicit DaemonProcess(Settings settings);
  ~DaemonProcess();

  // Not the one that was built beside the tests, but what P2PD_ON_FAKES names: with sanitizers.
  [[nodiscard]] static bool is_another_build();

  [[nodiscard]] ChildProcess& process() { return *process_; }
  void configure(const std::string& text);
  // Until it tells the service manager this: READY=1, RELOADING=1, STOPPING=1.
  void wait_for_state(const std::string& state);
  [[nodiscard]] std::string log() const;

  // ---- from outside: /proc
  [[nodiscard]] bool is_alive() const { return process_->is_running(); }
  [[nodiscard]] std::set<int> open_fds() const;
  // Of those: not to be closed when it executes another program.
  [[nodiscard]] std::set<int> inheritable_fds() const;
  [[nodiscard]] std::string fd_target(int fd) const;

  // ---- its VFIO
  // What it saw, one step per line: `open A`, `map A IOVA+LENGTH rw`, `unmap A IOVA+LENGTH`, `unmap-all A`, `close A`.
  [[nodiscard]] std::vector<std::string> vfio() const;
  // What is open, and mapped in it, now.
  [[nodiscard]] std::map<std::string, std::set<std::string>> address_spaces() const;
  // From now on steps of this kind fail, as if the kernel refused.
  void refuse(const std::string& step);
  void allow(const std::string& step);

  // A step of this kind waits at the gate, on the daemon's worker, until the gate goes.
  class Gate {
   public:
    Gate(std::filesystem::path file, const DaemonProcess& daemon);
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;
    ~Gate() { open(); }
    void wait_until_reached();
    void open();

   private:
    std::filesystem::path file_;
    const DaemonProcess& daemon_;
    UniqueFd holder_;
  };
  [[nodiscard]] std::unique_ptr<Gate> block(const std::string& step);

 private:
  [[nodiscard]] std::filesystem::path fakes() const { return settings_.directory / "fakes"; }

  Settings settings_;
  UniqueFd notify_;
  std::vector<std::string> states_;
  std::optional<ChildProcess> process_;
};

}  // namespace p2pd::test
