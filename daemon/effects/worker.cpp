// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/worker.h"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include <cerrno>

#include "effects/give_up.h"

namespace p2pd {

Worker::Worker(sd_event* loop, std::optional<std::chrono::milliseconds> patience) : patience_(patience) {
  shared_->wakeup.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!shared_->wakeup) throw std::system_error(errno, std::generic_category(), "eventfd");
  sd_event_source* source = nullptr;
  must_work(sd_event_add_io(
                loop, &source, shared_->wakeup.get(), EPOLLIN,
                [](sd_event_source*, int, std::uint32_t, void* self) noexcept {
                  return or_give_up("results of the worker", [self] { static_cast<Worker*>(self)->deliver(); });
                },
                this),
            "sd_event_add_io");
  source_.reset(source);
  thread_ = std::thread([shared = shared_] { work_off(*shared); });
}

Worker::~Worker() {
  std::unique_lock lock(shared_->mutex);
  shared_->is_stopping = true;
  if (patience_) shared_->queue.clear();
  shared_->changed.notify_all();
  if (!patience_ || shared_->changed.wait_for(lock, *patience_, [this] { return shared_->has_ended; })) {
    lock.unlock();
    thread_.join();
    return;
  }
  // A thread that sleeps in the kernel where no signal wakes it (state D) keeps the process from ending, SIGKILL or not,
  // until the kernel comes back. That is nobody's loss: what was lent is unmapped and closed by now.
  spdlog::critical("a call to the kernel does not come back: leaving it behind");
  thread_.detach();
}

tl::unexpected<Reason> Worker::note_exception(const std::exception& error) {
  spdlog::error("a job threw: {}", error.what());
  return refuse(ErrorCode::failed, error.what());
}

void Worker::enqueue(std::unique_ptr<Job> job) {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->queue.push_back(std::move(job));
  }
  shared_->changed.notify_all();
}

void Worker::work_off(Shared& shared) {
  std::unique_lock lock(shared.mutex);
  while (true) {
    shared.changed.wait(lock, [&] { return shared.is_stopping || !shared.queue.empty(); });
    if (shared.queue.empty()) break;
    auto job = std::move(shared.queue.front());
    shared.queue.pop_front();
    lock.unlock();
    job->run();
    lock.lock();
    shared.finished.push_back(std::move(job));
    // Cannot fail: the counter is far from its end, and the fd is ours.
    ::eventfd_write(shared.wakeup.get(), 1);
  }
  shared.has_ended = true;
  shared.changed.notify_all();
}

void Worker::deliver() {
  eventfd_t count = 0;
  ::eventfd_read(shared_->wakeup.get(), &count);
  std::vector<std::unique_ptr<Job>> finished;
  {
    const std::lock_guard lock(shared_->mutex);
    finished.swap(shared_->finished);
  }
  for (const auto& job : finished) job->deliver();
}

}  // namespace p2pd
