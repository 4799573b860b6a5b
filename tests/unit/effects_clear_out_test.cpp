// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who has a device open that must go, and whom p2pd may end for it: processes of our own with files of our own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "effects/clear_out.h"
#include "effects/file_holders.h"
#include "effects/owner_process.h"

namespace p2pd {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uid_t some_uid = 33;

// A process that has nothing open but `file`, and sleeps.
class Sleeper {
 public:
  explicit Sleeper(int file, uid_t uid = 0, milliseconds closes_after = milliseconds{-1}, bool maps = false) {
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) < 0) throw std::runtime_error("pipe2");
    pid_ = ::fork();
    if (pid_ == 0) run(file, uid, closes_after, maps, ready[1]);
    ::close(ready[1]);
    char byte = 0;
    if (::read(ready[0], &byte, 1) != 1) throw std::runtime_error("the process did not start");
    ::close(ready[0]);
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() { end(); }

  [[nodiscard]] pid_t pid() const { return pid_; }
  // By a signal it was already, or is now.
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] bool was_killed() const {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    return info.si_pid == pid_ && info.si_code == CLD_KILLED && info.si_status == SIGKILL;
  }

 private:
  // After a fork of a program with threads: system calls only.
  [[noreturn]] static void run(int file, uid_t uid, milliseconds closes_after, bool maps, int ready) {
    if (maps && ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file, 0) == MAP_FAILED) ::_exit(1);
    constexpr int kept = 3;
    constexpr int told = 4;
    // dup2 of a number onto itself would leave it to be closed by CLOEXEC only.
    const int high_file = ::fcntl(file, F_DUPFD, 10);
    const int high_ready = ::fcntl(ready, F_DUPFD, 10);
    ::dup2(high_file, kept);
    ::dup2(high_ready, told);
    ::close_range(told + 1, ~0U, 0);
    if (maps) ::close(kept);
    if (uid != 0 && ::setresuid(uid, uid, uid) != 0) ::_exit(1);
    if (::write(told, "x", 1) != 1) ::_exit(1);
    ::close(told);
    if (closes_after.count() >= 0) {
      ::usleep(static_cast<useconds_t>(closes_after.count() * 1000));
      ::close(kept);
    }
    while (true) ::pause();
  }
  pid_t pid_ = -1;
};

struct ClearOutFiles : testing::Test {
  // As a device that was opened through a group: an anonymous file, of which there are more.
  UniqueFd device{::eventfd(0, EFD_CLOEXEC)};
  UniqueFd other_device{::eventfd(0, EFD_CLOEXEC)};

  [[nodiscard]] Clearing clearing(const UniqueFd& what, UniqueFd owner, milliseconds patience = milliseconds{0}) const {
    return {.device = UniqueFd::duplicate(what.get()),
            .owner = std::move(owner),
            .uid = 0,
            .group = "/nonexistent",
            .patience = patience};
  }
  [[nodiscard]] static UniqueFd owner(const Sleeper& process) { return open_process(process.pid(), 0); }
  static int is_free(const std::filesystem::path&) { return ENOENT; }
};

TEST_F(ClearOutFiles, KillsTheOwnerThatHasTheDevice) {
  const Sleeper process(device.get());
  const Sleeper bystander(other_device.get());
  const auto cleared = clear_out(clearing(device, owner(process)), is_free);
  ASSERT_TRUE(cleared);
  EXPECT_TRUE(cleared->owner_was_killed);
  EXPECT_THAT(cleared->left, IsEmpty());
  EXPECT_TRUE(process.was_killed());
  EXPECT_FALSE(bystander.was_killed());
}

TEST_F(ClearOutFiles, KillsNobodyWhoClosesItInTime) {
  const Sleeper process(device.get(), 0, milliseconds{200});
  const auto cleared = clear_out(clearing(device, owner(process), milliseconds{10'000}), is_free);
  ASSERT_TRUE(cleared);
  EXPECT_FALSE(cleared->owner_was_killed);
  EXPECT_THAT(cleared->left, IsEmpty());
  EXPECT_FALSE(process.was_killed());
}

TEST_F(ClearOutFiles, DoesNotKillAnOwnerThatHasAnotherDeviceOnly) {
  const Sleeper process(other_device.get());
  const Sleeper other(device.get());
  const auto cleared = clear_out(clearing(device, owner(process)), is_free);
  ASSERT_TRUE(cleared);
  EXPECT_FALSE(cleared->owner_was_killed);
  EXPECT_THAT(cleared->left, ElementsAre(HasSubstr("pid " + std::to_string(other.pid()) + " ("))) << "named, not killed";
  EXPECT_FALSE(process.was_killed());
  EXPECT_FALSE(other.was_killed());
}

TEST_F(ClearOutFiles, NamesACopyThatTheOwnerGaveAway) {
  const Sleeper process(device.get());
  const Sleeper copy(device.get(), some_uid);
  const auto cleared = clear_out(clearing(device, owner(process)), is_free);
  ASSERT_TRUE(cleared);
  EXPECT_TRUE(cleared->owner_was_killed);
  EXPECT_THAT(cleared->left, ElementsAre(HasSubstr("uid 33")));
  EXPECT_FALSE(copy.was_killed());
}

TEST_F(ClearOutFiles, KillsNobodyWithoutKnowingTheOwner) {
  const Sleeper process(device.get());
  auto ended = std::make_unique<Sleeper>(other_device.get());
  auto pidfd = owner(*ended);
  ASSERT_TRUE(pidfd);
  ended->end();  // whoever has its pid now is not it
  for (auto& who : {std::make_shared<UniqueFd>(), std::make_shared<UniqueFd>(std::move(pidfd))}) {
    const auto cleared = clear_out(clearing(device, std::move(*who)), is_free);
    ASSERT_TRUE(cleared);
    EXPECT_FALSE(cleared->owner_was_killed);
    EXPECT_EQ(cleared->left.size(), 1U);
    EXPECT_FALSE(process.was_killed());
  }
}

TEST_F(ClearOutFiles, DoesNotKillAProcessOfAnotherUser) {
  const Sleeper process(device.get(), some_uid);
  // By its pidfd alone it would be the owner.
  auto wrong = clearing(device, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid(), 0))));
  const auto cleared = clear_out(std::move(wrong), is_free);
  ASSERT_TRUE(cleared);
  EXPECT_FALSE(cleared->owner_was_killed);
  EXPECT_FALSE(process.was_killed());
}

TEST_F(ClearOutFiles, KillsAnOwnerWhoMappedItAndClosedTheDescriptor) {
  const UniqueFd bar(::memfd_create("bar", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(bar.get(), 4096), 0);
  const Sleeper process(bar.get(), 0, milliseconds{-1}, true);
  ASSERT_TRUE(has_mapped(process.pid(), bar.get()));
  ASSERT_FALSE(has_mapped(process.pid(), device.get()));
  const auto free = clear_out(clearing(bar, owner(process)), is_free);
  EXPECT_FALSE(free->owner_was_killed) << "the device is free";

  const auto busy_while_it_runs = [&](const std::filesystem::path&) { return process.was_killed() ? 0 : EBUSY; };
  const auto cleared = clear_out(clearing(bar, owner(process)), busy_while_it_runs);
  ASSERT_TRUE(cleared);
  EXPECT_TRUE(cleared->owner_was_killed);
  EXPECT_THAT(cleared->left, IsEmpty());
}

TEST_F(ClearOutFiles, SaysThatSomebodyHasItWhoIsNotSeen) {
  const Sleeper process(other_device.get());
  const auto cleared = clear_out(clearing(device, owner(process)), [](const std::filesystem::path&) { return EBUSY; });
  ASSERT_TRUE(cleared);
  EXPECT_FALSE(cleared->owner_was_killed) << "it has another device of that kind open, but not mapped";
  EXPECT_THAT(cleared->left, ElementsAre(HasSubstr("not known")));
}

TEST(OwnerProcess, IsNeverPid1NorOurselvesNorAnotherUsers) {
  EXPECT_FALSE(open_process(0, 0));
  EXPECT_FALSE(open_process(-1, 0));
  EXPECT_FALSE(open_process(1, 0));
  EXPECT_FALSE(open_process(::getpid(), ::getuid()));
  const UniqueFd file(::eventfd(0, EFD_CLOEXEC));
  const Sleeper process(file.get(), some_uid);
  EXPECT_FALSE(open_process(process.pid(), 0));
  EXPECT_TRUE(open_process(process.pid(), some_uid));
}

TEST(OwnerProcess, IsNobodyAnyMoreWhenItHasEnded) {
  const UniqueFd file(::eventfd(0, EFD_CLOEXEC));
  Sleeper process(file.get());
  const auto pidfd = open_process(process.pid(), 0);
  ASSERT_EQ(pid_of_user(pidfd.get(), 0), process.pid());
  EXPECT_FALSE(pid_of_user(pidfd.get(), some_uid));
  const auto pid = process.pid();
  process.end();
  EXPECT_FALSE(pid_of_user(pidfd.get(), 0));
  EXPECT_FALSE(open_process(pid, 0));
}

}  // namespace
}  // namespace p2pd
