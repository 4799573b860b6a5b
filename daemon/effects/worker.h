// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A thread for calls that may be slow: jobs run one after the other, their results come back on the loop's thread.
#pragma once

#include <chrono>
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
  // With `patience` for jobs that may hang in the kernel for ever: the end waits so long for the one that runs, and then
  // goes without it. Such jobs refer to nothing that belongs to somebody else.
  explicit Worker(sd_event* loop, std::optional<std::chrono::milliseconds> patience = std::nullopt);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  // Runs what is queued, then joins; with patience, drops what is queued. Results that the loop did not take yet are dropped.
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

  // What the thread uses: it may outlive the worker.
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::unique_ptr<Job>> queue;
    std::vector<std::unique_ptr<Job>> finished;
    bool is_stopping = false;
    bool has_ended = false;
    UniqueFd wakeup;
  };

  static tl::unexpected<Reason> note_exception(const std::exception& error);
  static void work_off(Shared& shared);
  void enqueue(std::unique_ptr<Job> job);
  void deliver();

  std::optional<std::chrono::milliseconds> patience_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  EventSource source_;
  std::thread thread_;
};

}  // namespace p2pd
