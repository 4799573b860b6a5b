// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the library does without a bus: buffers, leases, names of targets.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <p2pclient/p2pclient.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <thread>

#include "client_fixtures.h"
#include "src/target.h"
#include "test_paths.h"

namespace p2pclient::test {
namespace {

using namespace std::chrono_literals;

TEST(ClientBuffer, CanNotShrinkAndIsSharedWithWhoHasTheMemfd) {
  const Buffer buffer(5000);
  EXPECT_EQ(buffer.size(), 8192U);
  EXPECT_EQ(::fcntl(buffer.fd(), F_GET_SEALS) & F_SEAL_SHRINK, F_SEAL_SHRINK);
  EXPECT_NE(::ftruncate(buffer.fd(), 0), 0);
  buffer.data()[8191] = std::byte{42};
  char last = 0;
  ASSERT_EQ(::pread(buffer.fd(), &last, 1, 8191), 1);
  EXPECT_EQ(last, 42);
}

TEST(ClientBuffer, StaysValidWhenItMoves) {
  Buffer first(4096);
  first.data()[0] = std::byte{1};
  Buffer second(4096);
  second = std::move(first);
  EXPECT_EQ(second.data()[0], std::byte{1});
  EXPECT_EQ(first.data(), nullptr);  // NOLINT(bugprone-use-after-move): that is the question
}

TEST(ClientBuffer, RefusesNothing) { EXPECT_THROW(Buffer(0), std::invalid_argument); }

void send_notice(int socket, const std::string& text, int fd = -1) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    auto* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  ASSERT_EQ(::sendmsg(socket, &message, 0), static_cast<ssize_t>(text.size()));
}

TEST(ClientLease, IsASequencedPacketSocketThatNoProgramInherits) {
  const auto pair = Lease::create();
  int type = 0;
  socklen_t size = sizeof type;
  ASSERT_EQ(::getsockopt(pair.theirs.get(), SOL_SOCKET, SO_TYPE, &type, &size), 0);
  EXPECT_EQ(type, SOCK_SEQPACKET);
  EXPECT_EQ(::fcntl(pair.ours.fd(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  EXPECT_EQ(::fcntl(pair.theirs.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(ClientLease, BringsNoticesWithReasonAndDeadline) {
  auto pair = Lease::create();
  send_notice(pair.theirs.get(), R"({"event":"revoking","grant":"/org/p2pd1/mapping/1","reason":"disabled","deadline_ms":1500})");
  const auto notice = pair.ours.read();
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->event, Notice::Event::revoking);
  EXPECT_EQ(notice->grant, "/org/p2pd1/mapping/1");
  EXPECT_EQ(notice->reason, "disabled");
  EXPECT_EQ(notice->deadline, 1500ms);
  EXPECT_TRUE(notice->fds.empty());
}

TEST(ClientLease, BringsDescriptorsThatNoProgramInherits) {
  auto pair = Lease::create();
  const Buffer buffer(4096);
  send_notice(pair.theirs.get(), R"({"event":"fds","grant":"/org/p2pd1/holding/1"})", buffer.fd());
  const auto notice = pair.ours.read();
  ASSERT_TRUE(notice);
  ASSERT_EQ(notice->fds.size(), 1U);
  struct stat sent{};
  struct stat received{};
  ASSERT_EQ(::fstat(buffer.fd(), &sent), 0);
  ASSERT_EQ(::fstat(notice->fds[0].get(), &received), 0);
  EXPECT_EQ(sent.st_ino, received.st_ino);
  EXPECT_EQ(::fcntl(notice->fds[0].get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(ClientLease, DoesNotWaitUnlessTold) { EXPECT_FALSE(Lease::create().ours.read()); }

TEST(ClientLease, GoesOnWaitingAfterASignal) {
  auto pair = Lease::create();
  struct sigaction ignore_it{};
  ignore_it.sa_handler = [](int) {};
  struct sigaction before{};
  ASSERT_EQ(::sigaction(SIGUSR1, &ignore_it, &before), 0);
  std::thread sender([&, reader = ::pthread_self()] {
    for (int i = 0; i < 5; ++i) {
      std::this_thread::sleep_for(20ms);
      ::pthread_kill(reader, SIGUSR1);
    }
    send_notice(pair.theirs.get(), R"({"event":"revoked","grant":"/org/p2pd1/holding/1","reason":"operator"})");
  });
  const auto notice = pair.ours.read(60s);
  sender.join();
  ASSERT_EQ(::sigaction(SIGUSR1, &before, nullptr), 0);
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->event, Notice::Event::revoked);
}

TEST(ClientLease, WaitsAsLongAsItIsTold) {
  auto pair = Lease::create();
  EXPECT_FALSE(pair.ours.read(20ms));
  std::thread sender([&] {
    std::this_thread::sleep_for(50ms);
    send_notice(pair.theirs.get(), R"({"event":"revoked","grant":"/org/p2pd1/holding/1","reason":"operator"})");
  });
  EXPECT_TRUE(pair.ours.read(std::chrono::milliseconds::max()));
  sender.join();
}

TEST(ClientLease, TellsThatItHasEnded) {
  auto pair = Lease::create();
  send_notice(pair.theirs.get(), R"({"event":"revoked","grant":"/org/p2pd1/holding/1","reason":"operator"})");
  pair.theirs.reset();
  EXPECT_EQ(pair.ours.read()->event, Notice::Event::revoked);  // what was said before is not lost
  EXPECT_EQ(pair.ours.read()->event, Notice::Event::ended);
  EXPECT_EQ(pair.ours.read()->event, Notice::Event::ended);
}

TEST(ClientLease, EndsForAllCopies) {
  auto pair = Lease::create();
  const auto copy = FileDescriptor::copy_of(pair.ours.fd());
  pair.ours.end();
  char byte = 0;
  EXPECT_EQ(::recv(pair.theirs.get(), &byte, 1, MSG_DONTWAIT), 0);  // end of file, though the copy is open
}

TEST(ClientLease, TakesWhatItDoesNotUnderstandAsAnotherEvent) {
  auto pair = Lease::create();
  for (const std::string text : {"no JSON", "[]", R"({"event":7,"reason":[]})", R"({"event":"brand-new"})"}) {
    send_notice(pair.theirs.get(), text);
    EXPECT_EQ(pair.ours.read()->event, Notice::Event::other) << text;
  }
}

TEST(ClientTarget, ComesApartIntoItsParts) {
  const auto whole = split_target("10000:ff:1f.7:5");
  EXPECT_EQ(whole.device, "10000:ff:1f.7");
  EXPECT_EQ(whole.bar, 5U);
  EXPECT_EQ(whole.length, 0U);
  const auto part = split_target("0000:05:00.0:2:0x1000+8192");
  EXPECT_EQ(part.bar, 2U);
  EXPECT_EQ(part.offset, 4096U);
  EXPECT_EQ(part.length, 8192U);
}

TEST(ClientTarget, IsRefusedWhenItIsNone) {
  for (const std::string text : {"", "0000:05:00.0", "0000:05:00.0:", "0000:05:00.0:x", "0000:05:00.0:2:", "0000:05:00.0:2:4096",
                                 "0000:05:00.0:2:0+0", "0000:05:00.0:2:-1+4096", "0000:05:00.0:2:0x+4096", "0000:05:00.0:2 "}) {
    try {
      static_cast<void>(split_target(text));
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_TRUE(error.is(error_name::invalid_argument)) << text;
    }
  }
}

TEST(ClientHeaders, KeepTheBusLibraryInside) {
  int headers = 0;
  for (const auto& entry : std::filesystem::directory_iterator(P2PD_TEST_DATA "/../../client/include/p2pclient")) {
    ++headers;
    for (const auto* word : {"sdbus", "systemd", "nlohmann", "libpci", "pci/"})
      EXPECT_THAT(read_text(entry.path()), testing::Not(testing::HasSubstr(std::string("#include <") + word))) << entry.path();
  }
  EXPECT_GE(headers, 10);
}

}  // namespace
}  // namespace p2pclient::test
