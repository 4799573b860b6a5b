// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A lease lives as long as the client's end has a copy: design §7.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "effects/lease.h"
#include "effects/lease_watch.h"
#include "event_loop.h"
#include "lease_client.h"

namespace p2pd {
namespace {

class WatchedLease : public testing::Test {
 protected:
  bool has_ended_within_a_turn() {
    loop.settle();
    return ends > 0;
  }

  TestLoop loop;
  LeaseClient client;
  int ends = 0;
  LeaseWatch watch{loop.get(), std::move(*check_lease(client.give_end())), [this] { ++ends; }};
};

TEST_F(WatchedLease, EndsWithTheLastCopy) {
  auto copy = client.copy();
  client.close();
  EXPECT_FALSE(has_ended_within_a_turn());
  copy.reset();
  EXPECT_TRUE(has_ended_within_a_turn());
}

TEST_F(WatchedLease, SaysItOnce) {
  client.close();
  ASSERT_TRUE(has_ended_within_a_turn());
  loop.settle();
  EXPECT_EQ(ends, 1);
}

TEST_F(WatchedLease, EndsByShutdownOnAnyCopy) {
  const auto copy = client.copy();
  ASSERT_FALSE(has_ended_within_a_turn());
  ::shutdown(copy.get(), SHUT_RDWR);
  EXPECT_TRUE(has_ended_within_a_turn());
}

TEST_F(WatchedLease, LivesOnInAChildOfItsClient) {
  // A client that gives its lease to a child, and is killed.
  int wait_for_test[2];
  ASSERT_EQ(::pipe(wait_for_test), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::close(wait_for_test[1]);
    _exit(::read(wait_for_test[0], &byte, 1) == 0 ? 0 : 1);
  }
  ::close(wait_for_test[0]);
  client.close();
  EXPECT_FALSE(has_ended_within_a_turn());

  ::kill(child, SIGKILL);
  EXPECT_TRUE(loop.turn_until([&] { return ends == 1; }));
  ::waitpid(child, nullptr, 0);
  ::close(wait_for_test[1]);
}

TEST_F(WatchedLease, SaysNothingOfEndsThatAreNoNews) {
  watch.be_quiet();
  client.close();
  EXPECT_FALSE(has_ended_within_a_turn());
}

TEST(LeaseWatch, EndsTheLeaseForAllCopiesWhenItGoes) {
  TestLoop loop;
  LeaseClient client;
  auto lease = check_lease(client.give_end());
  ASSERT_TRUE(lease);
  const auto in_the_store = UniqueFd::duplicate(lease->socket.get());
  {
    const LeaseWatch watch(loop.get(), std::move(*lease), [] {});
    ASSERT_FALSE(has_hung_up(client.socket()));
  }
  EXPECT_TRUE(has_hung_up(client.socket()));
}

TEST(LeaseWatch, TellsOfALeaseThatEndedBeforeIt) {
  TestLoop loop;
  LeaseClient client;
  auto lease = check_lease(client.give_end());
  ASSERT_TRUE(lease);
  client.close();
  int ends = 0;
  const LeaseWatch watch(loop.get(), std::move(*lease), [&] { ++ends; });
  EXPECT_EQ(ends, 0);
  EXPECT_TRUE(loop.turn_until([&] { return ends == 1; }));
}

TEST(LeaseWatch, MayGoInItsOwnNews) {
  TestLoop loop;
  LeaseClient client;
  auto lease = check_lease(client.give_end());
  ASSERT_TRUE(lease);
  std::unique_ptr<LeaseWatch> watch;
  bool has_ended = false;
  watch = std::make_unique<LeaseWatch>(loop.get(), std::move(*lease), [&] {
    watch.reset();
    has_ended = true;
  });
  client.close();
  EXPECT_TRUE(loop.turn_until([&] { return has_ended; }));
}

}  // namespace
}  // namespace p2pd
