// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "mapping/transaction.h"

namespace p2pd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Diary {
 public:
  Step step(const std::string& name) {
    return {name,
            [this, name]() -> Outcome<void> {
              lines_.push_back("do " + name);
              return {};
            },
            [this, name] { lines_.push_back("undo " + name); }};
  }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

Step failing(const std::string& name) {
  return {name, [] { return Outcome<void>(refuse(ErrorCode::busy, "EBUSY")); }, {}};
}

TEST(Transaction, UndoesLastFirstWhenAStepFails) {
  Diary diary;
  Transaction transaction("open");
  ASSERT_TRUE(transaction.run(diary.step("one")));
  ASSERT_TRUE(transaction.run(diary.step("two")));

  EXPECT_FALSE(transaction.run(failing("three")));

  EXPECT_THAT(diary.lines(), ElementsAre("do one", "do two", "undo two", "undo one"));
}

TEST(Transaction, NamesWhatAndStepAndCause) {
  Transaction transaction("open 0000:01:00.0");

  const auto outcome = transaction.run(failing("open group 12"));

  EXPECT_EQ(outcome.error(), (Reason{ErrorCode::busy, "open 0000:01:00.0: open group 12: EBUSY"}));
}

TEST(Transaction, UndoesWhenItGoesUnkept) {
  Diary diary;
  {
    Transaction transaction("open");
    ASSERT_TRUE(transaction.run(diary.step("one")));
  }
  EXPECT_THAT(diary.lines(), ElementsAre("do one", "undo one"));
}

TEST(Transaction, LeavesWhatIsKept) {
  Diary diary;
  {
    Transaction transaction("open");
    ASSERT_TRUE(transaction.run(diary.step("one")));
    transaction.keep();
  }
  EXPECT_THAT(diary.lines(), ElementsAre("do one"));
}

TEST(Transaction, UndoesNothingTwice) {
  Diary diary;
  {
    Transaction transaction("open");
    ASSERT_TRUE(transaction.run(diary.step("one")));
    EXPECT_FALSE(transaction.run(failing("two")));
  }
  EXPECT_THAT(diary.lines(), ElementsAre("do one", "undo one"));
}

TEST(Transaction, FailsAStepByItsNameWithoutRunningIt) {
  Diary diary;
  Transaction transaction("open", [](std::string_view step) { return step == "two"; });
  ASSERT_TRUE(transaction.run(diary.step("one")));

  const auto outcome = transaction.run(diary.step("two"));

  EXPECT_EQ(outcome.error().text, "open: two: made to fail");
  EXPECT_THAT(diary.lines(), ElementsAre("do one", "undo one"));
}

TEST(Transaction, UndoesWhenAStepThrows) {
  Diary diary;
  const auto run = [&] {
    Transaction transaction("open");
    ASSERT_TRUE(transaction.run(diary.step("one")));
    static_cast<void>(transaction.run({"two", []() -> Outcome<void> { throw std::runtime_error("no memory"); }, {}}));
  };
  EXPECT_THROW(run(), std::runtime_error);
  EXPECT_THAT(diary.lines(), ElementsAre("do one", "undo one"));
}

TEST(Transaction, RunsStepsThatHaveNothingToUndo) {
  Transaction transaction("open");
  ASSERT_TRUE(transaction.run({"look", [] { return Outcome<void>{}; }, {}}));
  EXPECT_FALSE(transaction.run(failing("two")));
}

}  // namespace
}  // namespace p2pd
