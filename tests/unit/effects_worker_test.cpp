// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "effects/worker.h"
#include "event_loop.h"

namespace p2pd {
namespace {

using testing::ElementsAre;

TEST(Worker, RunsJobsInOrderAndBringsResultsToTheLoop) {
  TestLoop loop;
  Worker worker(loop.get());
  std::vector<int> results;
  for (int number : {1, 2, 3})
    worker.run([number]() -> Outcome<int> { return number * 10; }, [&](Outcome<int> result) { results.push_back(*result); });
  ASSERT_TRUE(loop.turn_until([&] { return results.size() == 3; }));
  EXPECT_THAT(results, ElementsAre(10, 20, 30));
}

TEST(Worker, WorksElsewhereAndReportsHere) {
  TestLoop loop;
  Worker worker(loop.get());
  std::thread::id worked;
  std::thread::id reported;
  bool is_done = false;
  worker.run(
      [&]() -> Outcome<void> {
        worked = std::this_thread::get_id();
        return {};
      },
      [&](const Outcome<void>&) {
        reported = std::this_thread::get_id();
        is_done = true;
      });
  ASSERT_TRUE(loop.turn_until([&] { return is_done; }));
  EXPECT_NE(worked, std::this_thread::get_id());
  EXPECT_EQ(reported, std::this_thread::get_id());
}

TEST(Worker, MakesAnOutcomeOfAnException) {
  TestLoop loop;
  Worker worker(loop.get());
  std::vector<Outcome<void>> outcomes;
  const auto note = [&](Outcome<void> outcome) { outcomes.push_back(std::move(outcome)); };
  worker.run([]() -> Outcome<void> { throw std::runtime_error("no memory"); }, note);
  worker.run([]() -> Outcome<void> { return {}; }, note);
  ASSERT_TRUE(loop.turn_until([&] { return outcomes.size() == 2; }));
  EXPECT_EQ(outcomes[0].error(), (Reason{ErrorCode::failed, "no memory"}));
  EXPECT_TRUE(outcomes[1]);
}

TEST(Worker, DestroysWhatAJobHeldOnItsOwnThread) {
  struct Held {
    std::atomic<std::thread::id>* where;
    explicit Held(std::atomic<std::thread::id>* its_where) : where(its_where) {}
    Held(Held&& other) noexcept : where(std::exchange(other.where, nullptr)) {}
    ~Held() {
      if (where != nullptr) *where = std::this_thread::get_id();
    }
  };
  TestLoop loop;
  Worker worker(loop.get());
  std::atomic<std::thread::id> where;
  bool is_done = false;
  worker.run([held = Held(&where)]() -> Outcome<void> { return {}; }, [&](const Outcome<void>&) { is_done = true; });
  ASSERT_TRUE(loop.turn_until([&] { return is_done; }));
  EXPECT_NE(where.load(), std::thread::id());
  EXPECT_NE(where.load(), std::this_thread::get_id());
}

TEST(Worker, LeavesTheLoopFreeMeanwhile) {
  TestLoop loop;
  Worker worker(loop.get());
  std::atomic<bool> may_go_on = false;
  bool is_done = false;
  worker.run(
      [&]() -> Outcome<void> {
        while (!may_go_on) std::this_thread::yield();
        return {};
      },
      [&](const Outcome<void>&) { is_done = true; });
  loop.settle();
  EXPECT_FALSE(is_done);
  may_go_on = true;
  EXPECT_TRUE(loop.turn_until([&] { return is_done; }));
}

TEST(Worker, FinishesItsQueueBeforeItGoes) {
  TestLoop loop;
  int jobs = 0;
  int reports = 0;
  {
    Worker worker(loop.get());
    for (int count = 0; count < 5; ++count)
      worker.run(
          [&]() -> Outcome<void> {
            ++jobs;
            return {};
          },
          [&](const Outcome<void>&) { ++reports; });
  }
  loop.settle();
  EXPECT_EQ(jobs, 5);
  EXPECT_EQ(reports, 0);
}

}  // namespace
}  // namespace p2pd
