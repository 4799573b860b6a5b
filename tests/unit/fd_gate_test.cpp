// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Descriptors that come in a message, whether or not anything in the message speaks of them.
#include "bus/fd_gate.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "event_loop.h"
#include "lease_client.h"
#include "open_fds.h"

namespace p2pd {
namespace {

class Gate : public testing::Test {
 protected:
  // A message with one end of a pair, twice, as the library that reads the bus gets it.
  std::vector<UniqueFd> receive() {
    const auto one = sent.give_end();
    EXPECT_TRUE(bus.send("message", {one.get(), one.get()}));
    auto message = reader.receive();
    return message ? std::move(message->fds) : std::vector<UniqueFd>{};
  }

  TestLoop loop;
  FdGate gate{loop.get()};
  LeaseClient sent;
  LeaseClient bus;
  LeaseClient reader{bus.give_end()};
};

TEST_F(Gate, LeavesTokensInThePlaceOfFiles) {
  const auto tokens = receive();
  ASSERT_EQ(tokens.size(), 2);
  for (const auto& token : tokens) {
    EXPECT_FALSE(is_same_file(token.get(), sent.socket()));
    EXPECT_TRUE(::fcntl(token.get(), F_GETFD) & FD_CLOEXEC);
    const auto file = FdGate::file_of(token.get());
    EXPECT_EQ(::send(file.get(), "x", 1, MSG_DONTWAIT), 1);
    EXPECT_TRUE(sent.receive());
  }
}

TEST_F(Gate, ClosesTheFileOnceTheLastCopyOfTheTokenIsClosed) {
  auto tokens = receive();
  auto copy = UniqueFd::duplicate(tokens[1].get());
  tokens.clear();
  loop.settle();
  EXPECT_FALSE(has_hung_up(sent.socket()));
  copy.reset();
  EXPECT_TRUE(loop.turn_until([&] { return has_hung_up(sent.socket()); }));
}

TEST_F(Gate, LeavesNothingBehind) {
  const auto own = open_fds();
  {
    const auto tokens = receive();
  }
  EXPECT_TRUE(
      loop.turn_until([&] { return open_fds() <= own - 1; }));  // one end of the pair; threads of other tests may close theirs
}

TEST_F(Gate, LetsAMessageInWithoutFilesWhenThereIsNoRoomForAllOfThem) {
  const auto one = sent.give_end();
  ASSERT_TRUE(bus.send("message", {one.get(), one.get()}));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd lowest = UniqueFd::duplicate(0);
  // Room for the files and one token.
  const rlimit little{.rlim_cur = static_cast<rlim_t>(lowest.get()) + 5, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &little), 0);
  const auto message = reader.receive();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->text, "message");
  EXPECT_EQ(message->fds.size(), 0);
}

}  // namespace
}  // namespace p2pd
