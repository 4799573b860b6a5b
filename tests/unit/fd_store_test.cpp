// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The fd store of a service manager that this test plays: sd_notify(3) over a datagram socket.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <thread>

#include "lease_client.h"
#include "state/fd_store.h"

namespace p2pd {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Manager {
 public:
  explicit Manager(bool answers_barriers = true) : answers_barriers_(answers_barriers) {
    std::string name = (std::filesystem::temp_directory_path() / "notify-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    const auto path = (directory_ / "socket").string();
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    thread_ = std::thread([this] { listen(); });
  }
  ~Manager() {
    ::unsetenv("NOTIFY_SOCKET");
    ::shutdown(socket_.get(), SHUT_RD);
    thread_.join();
    std::filesystem::remove_all(directory_);
  }

  struct Message {
    std::string text;
    int fd_count;
    std::pair<dev_t, ino_t> file;
  };
  // Waits until so many came.
  std::vector<Message> messages(std::size_t count) {
    for (int patience = 0; patience < 1000; ++patience) {
      {
        const std::lock_guard lock(mutex_);
        if (messages_.size() >= count) return messages_;
      }
      std::this_thread::sleep_for(milliseconds{5});
    }
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  std::vector<std::string> texts(std::size_t count) {
    std::vector<std::string> result;
    for (const auto& message : messages(count)) result.push_back(message.text);
    return result;
  }

 private:
  void listen() {
    std::vector<UniqueFd> unanswered;
    while (true) {
      char text[1024];
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4) + CMSG_SPACE(sizeof(ucred))];
      iovec data{.iov_base = text, .iov_len = sizeof text};
      msghdr header{};
      header.msg_iov = &data;
      header.msg_iovlen = 1;
      header.msg_control = control;
      header.msg_controllen = sizeof control;
      const auto size = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
      if (size <= 0) return;
      Message message{std::string(text, static_cast<std::size_t>(size)), 0, {}};
      for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
        struct stat status{};
        ::fstat(fd, &status);
        message.file = {status.st_dev, status.st_ino};
        ++message.fd_count;
        // Closing it is the answer to BARRIER=1.
        UniqueFd received(fd);
        if (!answers_barriers_) unanswered.push_back(std::move(received));
      }
      const std::lock_guard lock(mutex_);
      messages_.push_back(std::move(message));
    }
  }

  bool answers_barriers_;
  std::filesystem::path directory_;
  UniqueFd socket_;
  std::mutex mutex_;
  std::vector<Message> messages_;
  std::thread thread_;
};

UniqueFd some_file() { return UniqueFd(::memfd_create("file", MFD_CLOEXEC)); }

TEST(SystemdFdStore, KeepsAContainerUntilItIsRemoved) {
  Manager manager;
  const auto file = some_file();
  ASSERT_TRUE(make_systemd_fd_store()->keep("h12.c", file.get(), false));
  const auto messages = manager.messages(1);
  ASSERT_EQ(messages.size(), 1);
  EXPECT_EQ(messages[0].text, "FDSTORE=1\nFDNAME=h12.c\nFDPOLL=0");
  EXPECT_EQ(messages[0].fd_count, 1);
  struct stat status{};
  ::fstat(file.get(), &status);
  EXPECT_EQ(messages[0].file, std::pair(status.st_dev, status.st_ino));
}

TEST(SystemdFdStore, LetsTheManagerDropALeaseThatHangsUp) {
  Manager manager;
  LeaseClient client;
  ASSERT_TRUE(make_systemd_fd_store()->keep("h12.l", client.give_end().get(), true));
  EXPECT_THAT(manager.texts(1), ElementsAre("FDSTORE=1\nFDNAME=h12.l"));
}

TEST(SystemdFdStore, RemovesByNameAndWaitsUntilItIsDone) {
  Manager manager;
  make_systemd_fd_store()->remove({"h12.c", "h12.d"});
  EXPECT_THAT(manager.texts(3), ElementsAre("FDSTOREREMOVE=1\nFDNAME=h12.c", "FDSTOREREMOVE=1\nFDNAME=h12.d", "BARRIER=1"));
}

TEST(SystemdFdStore, LosesPatienceWithAManagerThatDoesNotAnswer) {
  Manager manager(false);
  const auto begin = std::chrono::steady_clock::now();
  make_systemd_fd_store(milliseconds{200})->remove({"h12.c"});
  const auto waited = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(waited, milliseconds{150});
  EXPECT_LT(waited, std::chrono::seconds{5});
}

TEST(SystemdFdStore, WaitsForNothingWhenNothingIsRemoved) {
  Manager manager;
  make_systemd_fd_store()->remove({});
  const auto file = some_file();
  ASSERT_TRUE(make_systemd_fd_store()->keep("h1.c", file.get(), false));
  EXPECT_THAT(manager.texts(1), ElementsAre("FDSTORE=1\nFDNAME=h1.c\nFDPOLL=0"));
}

TEST(SystemdFdStore, RefusesNamesThatTheManagerWouldNotTake) {
  Manager manager;
  const auto store = make_systemd_fd_store();
  const auto file = some_file();
  EXPECT_TRUE(store->keep("h123456789012a.c", file.get(), false));
  for (const char* name : {"h1234567890123.c7", "", "h1:c", "h1\nFDPOLL=1", "h 1"})
    EXPECT_FALSE(store->keep(name, file.get(), false)) << name;
}

TEST(SystemdFdStore, RefusesANameThatIsThereAlready) {
  Manager manager;
  const auto store = make_systemd_fd_store();
  const auto file = some_file();
  ASSERT_TRUE(store->keep("h1.c", file.get(), false));
  EXPECT_FALSE(store->keep("h1.c", file.get(), false));
  store->remove({"h1.c"});
  EXPECT_TRUE(store->keep("h1.c", file.get(), false));
}

TEST(SystemdFdStore, RefusesMoreThanTheManagerKeeps) {
  Manager manager;
  const auto store = make_systemd_fd_store();
  const auto file = some_file();
  for (std::size_t count = 0; count < fd_store_limit; ++count)
    ASSERT_TRUE(store->keep(fmt::format("h{}.c", count), file.get(), false));
  EXPECT_EQ(store->keep("one.more", file.get(), false).error().code, ErrorCode::quota_exceeded);
  store->remove({"h7.c"});
  EXPECT_TRUE(store->keep("one.more", file.get(), false));
}

TEST(SystemdFdStore, KeepsNothingWithoutAManagerAndIsContent) {
  ::unsetenv("NOTIFY_SOCKET");
  const auto store = make_systemd_fd_store();
  const auto file = some_file();
  EXPECT_TRUE(store->keep("h1.c", file.get(), false));
  store->remove({"h1.c"});
  EXPECT_THAT(store->take_back(), IsEmpty());
}

// In a process of its own, because systemd's fds have fixed numbers.
TEST(SystemdFdStoreDeathTest, TakesBackWhatTheLastProcessLeft) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto child = [] {
    const UniqueFd file(::memfd_create("left", 0));
    ::dup2(file.get(), 3);
    ::dup2(file.get(), 4);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "2", 1);
    ::setenv("LISTEN_FDNAMES", "h1.c:h1.l", 1);
    const auto store = make_systemd_fd_store();
    const auto entries = store->take_back();
    const bool is_right = entries.size() == 2 && entries[0].name == "h1.c" && entries[0].fd.get() == 3 &&
                          entries[1].name == "h1.l" && ::fcntl(3, F_GETFD) == FD_CLOEXEC && ::getenv("LISTEN_FDS") == nullptr &&
                          store->take_back().empty();
    std::_Exit(is_right ? 42 : 1);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace p2pd
