// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

namespace p2pd::test {

namespace {

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

// From here on only system calls: another thread may have held any lock at the moment of the fork.
void become_alone(int keep) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const auto kept = static_cast<unsigned>(keep);
  if (keep < 3) {
    ::close_range(3, ~0U, 0);
    return;
  }
  if (kept > 3) ::close_range(3, kept - 1, 0);
  ::close_range(kept + 1, ~0U, 0);
  ::fcntl(keep, F_SETFD, 0);
}

UniqueFd pidfd_of(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  auto name = (std::filesystem::temp_directory_path() / "p2pd-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) fail("mkdtemp");
  path_ = name;
  // Clients of other uids connect to a socket in here.
  std::filesystem::permissions(path_, std::filesystem::perms(0755));
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::filesystem::path& file, const std::string& text) {
  std::ofstream stream(file, std::ios::trunc);
  if (!(stream << text << std::flush)) throw std::runtime_error("cannot write " + file.string());
}

std::string read_file(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

ChildProcess::ChildProcess(const Program& program) {
  std::vector<char*> arguments;
  for (const auto& argument : program.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  std::vector<std::string> settings;
  for (const auto& [key, value] : program.environment) settings.push_back(key + "=" + value);
  std::vector<char*> environment;
  for (auto& setting : settings) environment.push_back(setting.data());
  environment.push_back(nullptr);
  const UniqueFd log(::open(program.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));

  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) {
    ::dup2(null.get(), 0);
    ::dup2(log.get(), 1);
    ::dup2(log.get(), 2);
    become_alone(program.keep);
    ::execve(arguments[0], arguments.data(), environment.data());
    ::_exit(127);
  }
  pidfd_ = pidfd_of(pid_);
}

ChildProcess::ChildProcess(int keep, void (*body)()) {
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) {
    become_alone(keep);
    body();
    ::_exit(0);
  }
  pidfd_ = pidfd_of(pid_);
}

ChildProcess::~ChildProcess() {
  if (status_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ChildProcess::send(int signal) const {
  if (::kill(pid_, signal) < 0) fail("kill");
}

bool ChildProcess::is_running() const {
  pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  return !status_ && ::poll(&ended, 1, 0) == 0;
}

int ChildProcess::wait() {
  if (status_) return *status_;
  const Deadline deadline;
  pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  while (::poll(&ended, 1, deadline.left_ms("the end of a child process")) <= 0) continue;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  status_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  return *status_;
}

}  // namespace p2pd::test
