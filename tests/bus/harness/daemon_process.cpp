// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/daemon_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include "built_programs.h"

namespace p2pd::test {

namespace fs = std::filesystem;

namespace {

void check(int result, const std::string& what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

UniqueFd notify_socket(const fs::path& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  check(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind " + path.string());
  return socket;
}

fs::path proc(const ChildProcess& process) { return fs::path("/proc") / std::to_string(process.pid()); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

const char* another_build() {
  const char* other = std::getenv("P2PD_ON_FAKES");
  return other == nullptr || *other == '\0' ? nullptr : other;
}

std::map<std::string, std::string> environment_with(const fs::path& notify_socket) {
  std::map<std::string, std::string> environment{{"NOTIFY_SOCKET", notify_socket.string()}, {"PATH", "/usr/bin:/bin"}};
  for (const auto* name : {"ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LD_PRELOAD", "UMOCKDEV_DIR"})
    if (const char* value = std::getenv(name)) environment.emplace(name, value);
  return environment;
}

}  // namespace

DaemonProcess::DaemonProcess(Settings settings) : settings_(std::move(settings)) {
  fs::create_directories(fakes());
  fs::create_directories(settings_.directory / "run");
  configure(settings_.configuration);
  const auto socket = settings_.directory / "notify";
  notify_ = notify_socket(socket);
  process_.emplace(ChildProcess::Program{
      .arguments = {is_another_build() ? another_build() : P2PD_ON_FAKES, settings_.bus, settings_.sysfs_root.string(),
                    settings_.proc_root.string(), settings_.directory.string()},
      .environment = environment_with(socket),
      .log = settings_.directory / "p2pd.log"});
  wait_for_state("READY=1");
}

DaemonProcess::~DaemonProcess() = default;

bool DaemonProcess::is_another_build() { return another_build() != nullptr; }

void DaemonProcess::configure(const std::string& text) { write_file(settings_.directory / "p2pd.toml", text); }

std::string DaemonProcess::log() const { return read_file(settings_.directory / "p2pd.log"); }

void DaemonProcess::wait_for_state(const std::string& state) {
  const Deadline deadline;
  for (;;) {
    if (const auto found = std::find(states_.begin(), states_.end(), state); found != states_.end()) {
      states_.erase(states_.begin(), found + 1);
      return;
    }
    pollfd ready{.fd = notify_.get(), .events = POLLIN, .revents = 0};
    // A daemon that dies will tell nothing: 100 ms says how soon that is noticed, not how long anything takes.
    if (::poll(&ready, 1, std::min(100, deadline.left_ms(state + " of p2pd; its log:\n" + log()))) <= 0) {
      if (!process_->is_running()) throw std::runtime_error("p2pd is gone; its log:\n" + log());
      continue;
    }
    std::array<char, 4096> text{};
    const auto length = ::recv(notify_.get(), text.data(), text.size(), 0);
    check(static_cast<int>(length), "recv");
    for (auto& line : lines_of({text.data(), static_cast<std::size_t>(length)})) states_.push_back(std::move(line));
  }
}

std::set<int> DaemonProcess::open_fds() const {
  std::set<int> fds;
  for (const auto& entry : fs::directory_iterator(proc(*process_) / "fd")) fds.insert(std::stoi(entry.path().filename()));
  return fds;
}

std::string DaemonProcess::fd_target(int fd) const {
  std::error_code gone;
  return fs::read_symlink(proc(*process_) / "fd" / std::to_string(fd), gone).string();
}

std::set<int> DaemonProcess::inheritable_fds() const {
  std::set<int> fds;
  for (const int fd : open_fds()) {
    std::ifstream info(proc(*process_) / "fdinfo" / std::to_string(fd));
    for (std::string key, value; info >> key >> value;)
      if (key == "flags:" && (std::stoul(value, nullptr, 8) & O_CLOEXEC) == 0) fds.insert(fd);
  }
  return fds;
}

std::vector<std::string> DaemonProcess::vfio() const { return lines_of(read_file(fakes() / "trace")); }

std::map<std::string, std::set<std::string>> DaemonProcess::address_spaces() const {
  std::map<std::string, std::set<std::string>> open;
  for (const auto& line : vfio()) {
    std::istringstream words(line);
    std::string step;
    std::string function;
    std::string range;
    words >> step >> function >> range;
    if (step == "open") open[function];
    if (step == "map") open[function].insert(range);
    if (step == "unmap") open[function].erase(range);
    if (step == "unmap-all") open[function].clear();
    if (step == "close") open.erase(function);
  }
  return open;
}

void DaemonProcess::refuse(const std::string& step) { write_file(fakes() / ("refuse-" + step), ""); }
void DaemonProcess::allow(const std::string& step) { fs::remove(fakes() / ("refuse-" + step)); }

std::unique_ptr<DaemonProcess::Gate> DaemonProcess::block(const std::string& step) {
  return std::make_unique<Gate>(fakes() / ("gate-" + step), *this);
}

// Open for reading and writing, so that whoever opens it for reading gets in at once and then waits for us to hang up.
DaemonProcess::Gate::Gate(fs::path file, const DaemonProcess& daemon) : file_(std::move(file)), daemon_(daemon) {
  check(::mkfifo(file_.c_str(), 0600), "mkfifo");
  holder_.reset(::open(file_.c_str(), O_RDWR | O_CLOEXEC));
}

void DaemonProcess::Gate::wait_until_reached() {
  const auto line = "at " + file_.filename().string();
  const Deadline deadline;
  for (;;) {
    const auto lines = daemon_.vfio();
    if (std::find(lines.begin(), lines.end(), line) != lines.end()) return;
    if (!daemon_.is_alive()) throw std::runtime_error("p2pd is gone; its log:\n" + daemon_.log());
    ::poll(nullptr, 0, std::min(1, deadline.left_ms("the daemon's worker " + line)));
  }
}

void DaemonProcess::Gate::open() {
  std::error_code ignored;
  fs::remove(file_, ignored);
  holder_.reset();
}

}  // namespace p2pd::test
