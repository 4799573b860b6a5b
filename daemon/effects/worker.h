// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A thread for calls that may be slow: jobs run one after the other, their results come back on the loop's thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "effects/event_source.h"
#include "model/reason.h"
#include "model/unique_fd.h"

namespace p2pd {

class Worker {
 public:
  explicit Worker(sd_event* loop);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  // Runs what is queued, then joins. Results that the loop did not take yet are dropped.
  ~Worker();

  // `work` () -> Outcome<T> runs, and is destroyed with all it holds, on the worker; `done` (Outcome<T>) on the loop.
  // What `work` throws is an outcome too: a job must not take the daemon with it.
  template <class Work, class Done>
  void run(Work work, Done done) {
    enqueue(std::make_unique<JobOf<Work, Done>>(std::move(work), std::move(done)));
  }

 private:
  struct Job {
    virtual ~Job() = default;
    virtual void run() = 0;
    virtual void deliver() = 0;
  };

  template <class Work, class Done>
  struct JobOf final : Job {
    using Result = std::invoke_result_t<Work&>;
    JobOf(Work its_work, Done its_done) : work(std::move(its_work)), done(std::move(its_done)) {}
    void run() override {
      try {
        result.emplace((*work)());
      } catch (const std::exception& error) {
        result.emplace(note_exception(error));
      }
      work.reset();
    }
    void deliver() override { done(std::move(*result)); }

    std::optional<Work> work;
    Done done;
    std::optional<Result> result;
  };

  static tl::unexpected<Reason> note_exception(const std::exception& error);
  void enqueue(std::unique_ptr<Job> job);
  void work_off();
  void deliver();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Job>> queue_;
  std::vector<std::unique_ptr<Job>> finished_;
  bool is_stopping_ = false;
  UniqueFd wakeup_;
  EventSource source_;
  std::thread thread_;
};

}  // namespace p2pd
