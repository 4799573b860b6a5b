// SPDX-License-Identifier: LGPL-2.1-or-later
#include "measured_daemon.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "built_programs.h"
#include "model/unique_fd.h"
#include "test_paths.h"

namespace p2pd::bench {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

UniqueFd notify_socket(const fs::path& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    throw std::system_error(errno, std::generic_category(), "bind " + path.string());
  return socket;
}

std::uint64_t sum_of_fields(const fs::path& status, std::initializer_list<std::string_view> names) {
  std::ifstream stream(status);
  std::uint64_t sum = 0;
  for (std::string line; std::getline(stream, line);)
    for (const auto name : names)
      if (line.starts_with(name)) sum += std::stoull(line.substr(name.size()));
  return sum;
}

}  // namespace

MeasuredDaemon::MeasuredDaemon(const test::PrivateBus& bus, const fs::path& sysfs_root) {
  constexpr double patience = 60;
  test::write_file(directory_.path() / "p2pd.toml", "[platform]\nvirtualization = \"none\"\n");
  const auto path = directory_.path() / "notify";
  const auto notify = notify_socket(path);
  const auto begin = Clock::now();
  process_.emplace(test::ChildProcess::Program{
      .arguments = {P2PD_BUILT, "--bus", bus.address(), "--config", (directory_.path() / "p2pd.toml").string(), "--sysfs-root",
                    sysfs_root.string(), "--platform", P2PD_PLATFORM_FILES, "--runtime-directory", directory_.path().string()},
      .environment = {{"NOTIFY_SOCKET", path.string()}, {"PATH", "/usr/bin:/bin"}},
      .log = directory_.path() / "log"});
  std::array<char, 4096> text{};
  std::string_view state;
  while (!state.starts_with("READY=1")) {
    pollfd ready{.fd = notify.get(), .events = POLLIN, .revents = 0};
    // One that dies says nothing: that is how soon it is noticed.
    if (::poll(&ready, 1, 100) <= 0) {
      if (process_->is_running() && seconds_since(begin) < patience) continue;
      throw std::runtime_error("p2pd does not start: " + test::read_file(directory_.path() / "log"));
    }
    const auto length = ::recv(notify.get(), text.data(), text.size(), 0);
    state = {text.data(), length > 0 ? static_cast<std::size_t>(length) : 0};
  }
  seconds_to_start_ = seconds_since(begin);
}

MeasuredDaemon::~MeasuredDaemon() {
  process_->send(SIGTERM);
  process_->wait();
}

double MeasuredDaemon::resident_mib() const {
  return static_cast<double>(sum_of_fields(fs::path("/proc") / std::to_string(process_->pid()) / "status", {"VmRSS:"})) / 1024;
}

std::uint64_t MeasuredDaemon::context_switches() const {
  std::uint64_t sum = 0;
  for (const auto& task : fs::directory_iterator(fs::path("/proc") / std::to_string(process_->pid()) / "task"))
    sum += sum_of_fields(task.path() / "status", {"voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"});
  return sum;
}

double seconds_to_run(const std::vector<std::string>& arguments) {
  const auto begin = Clock::now();
  test::ChildProcess program({.arguments = arguments, .environment = {{"PATH", "/usr/bin:/bin"}}, .log = "/dev/null"});
  if (const int status = program.wait(); status != 0)
    throw std::runtime_error(arguments.front() + " ended with status " + std::to_string(status));
  return seconds_since(begin);
}

}  // namespace p2pd::bench
