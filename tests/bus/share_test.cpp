// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Asking is free, but nobody gets more of p2pd's time than a share of it.
#include "harness/scene.h"

namespace p2pd::test {
namespace {

using Share = Scene;

// The most that one call may ask for.
Client::Call a_large_question() {
  return {.path = "/org/p2pd1",
          .method = "org.p2pd1.Manager.CheckAll",
          .arguments = {Options{{"initiators", Strings(64, initiator)}, {"targets", Strings(128, target_bar)}}}};
}

TEST_F(Share, IsEnoughForALargeQuestion) { EXPECT_EQ(alice.call(a_large_question()).error, ""); }

TEST_F(Share, EndsForWhoAsksLargeQuestionsOverAndOver) {
  // Many at once: who waits for each answer may well be slower than p2pd.
  Answer answer;
  const Deadline deadline;
  while (answer.error.empty()) {
    (void)deadline.left("a refusal");
    std::vector<Client::Ticket> tickets;
    for (int count = 0; count < 100; ++count) tickets.push_back(alice.start(a_large_question()));
    for (const auto& ticket : tickets)
      if (answer.error.empty()) answer = alice.finish(ticket);
  }
  EXPECT_EQ(answer.error, "QuotaExceeded");
  EXPECT_EQ(bob.call(a_large_question()).error, "") << "each has its own";
}

TEST_F(Share, IsNotUsedUpByWhatIsCheap) {
  for (int count = 0; count < 3000; ++count) alice.ping();
}

}  // namespace
}  // namespace p2pd::test
