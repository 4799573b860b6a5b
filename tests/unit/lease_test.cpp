// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What clients pass as a lease, by clients who want to cheat: design §7.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "effects/lease.h"
#include "lease_client.h"
#include "lingering.h"
#include "open_fds.h"

namespace p2pd {
namespace {

using testing::HasSubstr;

std::string refusal_of(UniqueFd socket) {
  const auto lease = check_lease(std::move(socket));
  if (lease) return "";
  EXPECT_EQ(lease.error().code, ErrorCode::invalid_argument);
  return lease.error().text;
}

TEST(Lease, IsOneEndOfASeqpacketSocketpair) {
  LeaseClient client;
  EXPECT_EQ(refusal_of(client.give_end()), "");
}

TEST(Lease, IsNotAFile) { EXPECT_EQ(refusal_of(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC))), "the lease is not a socket"); }

TEST(Lease, IsNotADirectoryHandle) {
  EXPECT_EQ(refusal_of(UniqueFd(::open("/", O_PATH | O_CLOEXEC))), "the lease is not a socket");
}

TEST(Lease, IsNotASocketOfTheNetwork) {
  EXPECT_EQ(refusal_of(UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))), "the lease is not an AF_UNIX socket");
}

TEST(Lease, IsNoStreamSocket) {
  LeaseClient client(SOCK_STREAM);
  EXPECT_EQ(refusal_of(client.give_end()), "the lease is not a SOCK_SEQPACKET socket");
}

TEST(Lease, IsNoDatagramSocket) {
  LeaseClient client(SOCK_DGRAM);
  EXPECT_EQ(refusal_of(client.give_end()), "the lease is not a SOCK_SEQPACKET socket");
}

TEST(Lease, IsConnected) {
  EXPECT_EQ(refusal_of(UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0))), "the lease is not connected");
}

TEST(Lease, HasNotEndedBefore) {
  LeaseClient client;
  auto end = client.give_end();
  client.close();
  EXPECT_THAT(refusal_of(std::move(end)), HasSubstr("has ended already"));
}

TEST(Lease, HasNothingQueuedInIt) {
  LeaseClient client;
  ASSERT_TRUE(client.send("hello"));
  EXPECT_EQ(refusal_of(client.give_end()), "the lease has messages queued in it");
}

TEST(Lease, DoesNotHoldItsOwnOtherEnd) {
  LeaseClient client;
  ASSERT_TRUE(client.send("x", {client.socket()}));
  EXPECT_EQ(refusal_of(client.give_end()), "the lease has messages queued in it");
}

TEST(Lease, DoesNotHoldItsOtherEndInAnEmptyMessage) {
  LeaseClient client;
  ASSERT_TRUE(client.send("", {client.socket()}));
  EXPECT_EQ(refusal_of(client.give_end()), "the lease has messages queued in it");
}

TEST(Lease, DoesNotHoldItsOtherEndBehindAPeekOffset) {
  LeaseClient client;
  ASSERT_TRUE(client.send("", {client.socket()}));
  auto end = client.give_end();
  const int far = 1000;
  ASSERT_EQ(::setsockopt(end.get(), SOL_SOCKET, SO_PEEK_OFF, &far, sizeof far), 0);
  EXPECT_EQ(refusal_of(std::move(end)), "the lease has messages queued in it");
}

TEST(Lease, TakesNothingFromTheClientAfterwards) {
  LeaseClient unchecked;
  const auto end = unchecked.give_end();
  ASSERT_TRUE(unchecked.send("x", {unchecked.socket()}));

  LeaseClient client;
  const auto lease = check_lease(client.give_end());
  ASSERT_TRUE(lease);
  EXPECT_FALSE(client.send("x", {client.socket()}));
  EXPECT_EQ(errno, EPIPE);
}

TEST(Lease, CanBeSpokenOverAfterwards) {
  LeaseClient client;
  const auto lease = check_lease(client.give_end());
  ASSERT_TRUE(lease);
  send_notice(lease->socket.get(), "/org/p2pd1/holding/1", {.grant = HoldingId{1}, .lease = HoldingId{1}});
  EXPECT_TRUE(client.receive());
}

TEST(Lease, LeavesNoFdWhenItIsRefused) {
  LeaseClient client;
  ASSERT_TRUE(client.send("x", {client.socket()}));
  auto end = client.give_end();
  const auto before = open_fds();
  ASSERT_NE(refusal_of(std::move(end)), "");
  EXPECT_TRUE(open_fds_fall_to(before - 1));
}

// ---- the last word

TEST(HiddenFds, AreNotInAnEmptyLease) {
  LeaseClient client;
  const auto lease = check_lease(client.give_end());
  ASSERT_TRUE(lease);
  EXPECT_TRUE(refuse_hidden_fds(lease->socket.get()));
}

TEST(HiddenFds, AreFoundBehindAPeekOffsetAndEmptyMessages) {
  LeaseClient client;
  const auto end = client.give_end();
  ASSERT_TRUE(client.send(""));
  ASSERT_TRUE(client.send(""));
  ASSERT_TRUE(client.send("", {client.socket()}));
  const int far = 1000;
  ASSERT_EQ(::setsockopt(end.get(), SOL_SOCKET, SO_PEEK_OFF, &far, sizeof far), 0);
  ASSERT_EQ(::shutdown(end.get(), SHUT_RD), 0);

  EXPECT_FALSE(refuse_hidden_fds(end.get()));
  // And are out of it: the lease ends with its client all the same.
  EXPECT_FALSE(has_hung_up(end.get()));
  client.close();
  EXPECT_TRUE(hangs_up(end.get()));
}

TEST(Lease, IsAsItWasForItsClientWhenACopyOfTheClientsEndIsClosed) {
  LeaseClient client;
  const auto end = client.give_end();
  ASSERT_EQ(::shutdown(end.get(), SHUT_RD), 0);
  const auto before = open_fds();
  {
    const ForeignFd copy{UniqueFd::duplicate(client.socket())};
  }
  EXPECT_TRUE(open_fds_fall_to(before));
  EXPECT_FALSE(has_hung_up(end.get()));
  client.close();
  EXPECT_TRUE(hangs_up(end.get()));
}

TEST(HiddenFds, WouldMakeALeaseImmortal) {
  LeaseClient client;
  const auto end = client.give_end();
  ASSERT_TRUE(client.send("", {client.socket()}));
  client.close();
  EXPECT_FALSE(has_hung_up(end.get()));
  EXPECT_FALSE(refuse_hidden_fds(end.get()));
  EXPECT_TRUE(hangs_up(end.get()));
}

TEST(HiddenFds, AreClosedByAnotherThread) {
  LeaseClient client;
  const auto end = client.give_end();
  auto lingering = make_lingering();
  ASSERT_TRUE(client.send("", {lingering.socket.get()}));
  lingering.socket.reset();
  ASSERT_EQ(::shutdown(end.get(), SHUT_RD), 0);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(refuse_hidden_fds(end.get()));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{2});
}

// ---- what is closed

TEST(ForeignFd, IsClosedByAnotherThread) {
  auto lingering = make_lingering();
  const auto begin = std::chrono::steady_clock::now();
  {
    const ForeignFd file{std::move(lingering.socket)};
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{2});
}

TEST(ForeignFd, IsClosedWhileManyOthersAreStuck) {
  std::vector<Lingering> stuck;
  for (int count = 0; count < 20; ++count) {
    stuck.push_back(make_lingering());
    const ForeignFd file{std::move(stuck.back().socket)};
  }
  LeaseClient client;
  {
    const auto lease = check_lease(client.give_end());
    ASSERT_TRUE(lease);
  }
  EXPECT_TRUE(hangs_up(client.socket()));
}

TEST(ForeignFd, IsClosedWithAllThatIsQueuedInIt) {
  LeaseClient outer;
  LeaseClient inner;
  {
    const auto queued = inner.give_end();
    for (const auto* text : {"", "x", "y"}) ASSERT_TRUE(outer.send(text, {queued.get()}));
  }
  {
    const ForeignFd file{outer.give_end()};
  }
  EXPECT_TRUE(hangs_up(inner.socket()));
}

// ---- what is said over it

class SpokenLease : public testing::Test {
 protected:
  int lease() const { return end_.get(); }
  LeaseClient client;

 private:
  UniqueFd end_ = client.give_end();
};

TEST_F(SpokenLease, BringsFds) {
  const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(send_fds(lease(), "/org/p2pd1/holding/7", {file.get()}));

  const auto message = client.receive().value();

  EXPECT_EQ(nlohmann::json::parse(message.text), (nlohmann::json{{"event", "fds"}, {"grant", "/org/p2pd1/holding/7"}}));
  ASSERT_EQ(message.fds.size(), 1);
  EXPECT_TRUE(is_same_file(message.fds[0].get(), file.get()));
}

TEST_F(SpokenLease, BringsTheNoticeOfARevocation) {
  send_notice(lease(), "/org/p2pd1/mapping/9",
              {.grant = MappingId{9},
               .lease = MappingId{9},
               .what = Tell::What::revoking,
               .reason = RevokeReason::device_wanted,
               .grace = std::chrono::milliseconds{1500}});
  EXPECT_EQ(nlohmann::json::parse(client.receive().value().text),
            (nlohmann::json{
                {"event", "revoking"}, {"grant", "/org/p2pd1/mapping/9"}, {"reason", "device-wanted"}, {"deadline_ms", 1500}}));
}

TEST_F(SpokenLease, BringsTheNoticeThatItIsDone) {
  send_notice(lease(), "/org/p2pd1/mapping/9",
              {.grant = MappingId{9}, .lease = MappingId{9}, .what = Tell::What::revoked, .reason = RevokeReason::operator_});
  EXPECT_EQ(nlohmann::json::parse(client.receive().value().text),
            (nlohmann::json{{"event", "revoked"}, {"grant", "/org/p2pd1/mapping/9"}, {"reason", "operator"}}));
}

TEST_F(SpokenLease, DropsNoticesWhenTheClientDoesNotRead) {
  const Tell notice{.grant = HoldingId{1}, .lease = HoldingId{1}};
  constexpr int more_than_fit = 5000;
  for (int count = 0; count < more_than_fit; ++count) send_notice(lease(), "/org/p2pd1/holding/1", notice);

  int received = 0;
  while (client.receive()) ++received;
  EXPECT_GT(received, 0);
  EXPECT_LT(received, more_than_fit);
}

TEST_F(SpokenLease, FailsToBringFdsWhenTheClientDoesNotRead) {
  const Tell notice{.grant = HoldingId{1}, .lease = HoldingId{1}};
  for (int count = 0; count < 5000; ++count) send_notice(lease(), "/org/p2pd1/holding/1", notice);
  EXPECT_THAT(send_fds(lease(), "/org/p2pd1/holding/1", {0}).error().text, HasSubstr("does not read"));
}

TEST_F(SpokenLease, FailsToBringFdsToAClientThatIsGone) {
  client.close();
  EXPECT_EQ(send_fds(lease(), "/org/p2pd1/holding/1", {0}).error().code, ErrorCode::gone);
}

TEST_F(SpokenLease, EndsForEveryCopy) {
  const auto in_the_store = UniqueFd::duplicate(lease());
  ASSERT_FALSE(has_hung_up(client.socket()));
  end_lease(lease());
  EXPECT_TRUE(has_hung_up(client.socket()));
}

}  // namespace
}  // namespace p2pd
