// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/overlap.h"

#include <gtest/gtest.h>

namespace p2pd {
namespace {

TEST(Overlap, IsSeenOfACallThatWaitedWhenTheOneBeforeWasTakenUp) {
  Overlap overlap;
  EXPECT_FALSE(overlap.is_seen(":1.1", 0));
  overlap.taken_up(":1.1", 100, 300);
  EXPECT_TRUE(overlap.is_seen(":1.1", 100));
  EXPECT_TRUE(overlap.is_seen(":1.1", 299));
}

TEST(Overlap, IsNotSeenOfACallThatCameLater) {
  Overlap overlap;
  overlap.taken_up(":1.1", 100, 300);
  EXPECT_FALSE(overlap.is_seen(":1.1", 300));
  overlap.taken_up(":1.1", 400, 400);
  EXPECT_FALSE(overlap.is_seen(":1.1", 400));
}

TEST(Overlap, IsNobodyElses) {
  Overlap overlap;
  overlap.taken_up(":1.1", 100, 300);
  EXPECT_FALSE(overlap.is_seen(":1.2", 100));
}

TEST(Overlap, IsForgottenOfSendersWhoComeAndGo) {
  Overlap overlap;
  overlap.taken_up(":1.1", 100, 1'000'000);
  for (int sender = 0; sender < 10'000; ++sender) overlap.taken_up(":2." + std::to_string(sender), 200, 200);
  EXPECT_TRUE(overlap.is_seen(":1.1", 500'000)) << "what still says something is kept";
}

}  // namespace
}  // namespace p2pd
