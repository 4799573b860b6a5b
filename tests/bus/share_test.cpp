// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Asking is free, but nobody gets more of p2pd's time than a share of it.
#include <sys/resource.h>

#include "harness/scene.h"

namespace p2pd::test {
namespace {

using Share = Scene;

// The most that one call may ask for.
Client::Call a_large_question() {
  return {.path = "/org/p2pd1",
          .method = "org.p2pd1.Manager.CheckAll",
          .arguments = {Options{{"initiators", Strings(300, initiator)}, {"targets", Strings(300, target_bar)}}}};
}

TEST_F(Share, IsEnoughForALargeQuestion) { EXPECT_EQ(alice.call(a_large_question()).error, ""); }

TEST_F(Share, EndsForWhoAsksLargeQuestionsOverAndOver) {
  Answer answer;
  const Deadline deadline;
  while (answer.error.empty()) {
    (void)deadline.left("a refusal");
    answer = alice.call(a_large_question());
  }
  EXPECT_EQ(answer.error, "QuotaExceeded");
  EXPECT_EQ(bob.call(a_large_question()).error, "") << "each has its own";
}

// As many calls at once as the bus lets a connection have.
TEST_F(Share, OfCallsThatOverlapEndsInRefusalsAndEachIsAnswered) {
  const Client::Call cheap{
      .path = "/org/p2pd1", .method = "org.p2pd1.Manager.Check", .arguments = {initiator, target_bar, Options{}}};
  std::set<std::string> errors;
  const Deadline deadline;
  while (!errors.contains("QuotaExceeded")) {
    (void)deadline.left("a refusal");
    std::vector<Client::Ticket> tickets(100);
    for (auto& ticket : tickets) ticket = alice.start(cheap);
    for (const auto& ticket : tickets) errors.insert(alice.finish(ticket).error);
    EXPECT_EQ(bob.call(cheap).error, "") << "each has its own";
  }
  EXPECT_EQ(errors, (std::set<std::string>{"", "QuotaExceeded"}));
  EXPECT_EQ(alice.call(cheap).error, "") << "what does not overlap is answered";
}

// A client that gets the answer sends the next call before p2pd has come to do anything else: p2pd is made slow for that.
TEST_F(Share, IsNotUsedUpByOneCallAfterTheOther) {
  ASSERT_EQ(::setpriority(PRIO_PROCESS, static_cast<id_t>(daemon->process().pid()), 19), 0);
  const Client::Call ping{.path = "/org/p2pd1", .method = "org.freedesktop.DBus.Peer.Ping", .arguments = {}};
  for (int count = 0; count < 6000; ++count) ASSERT_EQ(alice.call(ping).error, "") << "after " << count;
}

TEST_F(Share, IsNotUsedUpByWhatIsCheap) {
  for (int count = 0; count < 3000; ++count) alice.ping();
}

}  // namespace
}  // namespace p2pd::test
