// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/budget.h"

#include <gtest/gtest.h>

#include "bus/line_limit.h"

namespace p2pd {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST(Budget, GivesABurstThenARate) {
  Budget budget(100, 10);
  EXPECT_TRUE(budget.spend("a", 60, seconds{1}));
  EXPECT_FALSE(budget.spend("a", 60, seconds{1}));
  EXPECT_FALSE(budget.spend("a", 60, seconds{2}));
  EXPECT_TRUE(budget.spend("a", 60, seconds{3}));
}

TEST(Budget, GivesWhatIsTooLargeToWhoAsksOnce) {
  Budget budget(100, 10);
  EXPECT_TRUE(budget.spend("a", 1000, seconds{1}));
  EXPECT_FALSE(budget.spend("a", 1, seconds{1}));
  EXPECT_TRUE(budget.spend("a", 1000, seconds{11}));
}

TEST(Budget, IsEverySendersOwn) {
  Budget budget(100, 10);
  EXPECT_TRUE(budget.spend("a", 100, seconds{1}));
  EXPECT_TRUE(budget.spend("b", 100, seconds{1}));
}

TEST(Budget, LetsWhoOwesSomethingWait) {
  Budget budget(100, 10);
  EXPECT_FALSE(budget.owes("a", seconds{1}));
  budget.charge("a", 100, seconds{1});
  EXPECT_FALSE(budget.owes("a", seconds{1}));
  budget.charge("a", 20, seconds{1});
  EXPECT_TRUE(budget.owes("a", seconds{1}));
  EXPECT_TRUE(budget.owes("a", seconds{2}));
  EXPECT_FALSE(budget.owes("a", seconds{3}));
}

TEST(Budget, TakesNoMemoryWithoutEnd) {
  Budget budget(100, 0);
  for (int count = 0; count < 5000; ++count) EXPECT_TRUE(budget.spend(std::to_string(count), 50, seconds{1}));
  EXPECT_TRUE(budget.spend("0", 100, seconds{1})) << "forgotten";
}

TEST(LineLimit, LeavesOutWhatOneSenderHasTooMany) {
  LineLimit lines;
  for (unsigned count = 0; count < LineLimit::for_each; ++count) EXPECT_TRUE(lines.next("a", seconds{100}).write);
  EXPECT_FALSE(lines.next("a", seconds{100}).write);
  EXPECT_FALSE(lines.next("a", seconds{159}).write);
  EXPECT_TRUE(lines.next("b", seconds{159}).write);
}

TEST(LineLimit, SaysOnceHowManyItLeftOut) {
  LineLimit lines;
  for (unsigned count = 0; count < LineLimit::for_each + 7; ++count) (void)lines.next("a", seconds{100});
  const auto next = lines.next("a", seconds{160});
  EXPECT_TRUE(next.write);
  EXPECT_EQ(next.left_out, 7);
  EXPECT_EQ(lines.next("a", seconds{160}).left_out, 0);
}

TEST(LineLimit, IsNotFooledByNewNames) {
  LineLimit lines;
  unsigned written = 0;
  for (unsigned count = 0; count < 5000; ++count) written += lines.next(std::to_string(count), seconds{100}).write ? 1 : 0;
  EXPECT_EQ(written, LineLimit::in_all);
}

}  // namespace
}  // namespace p2pd
