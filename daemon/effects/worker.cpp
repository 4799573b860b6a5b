// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/worker.h"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include <cerrno>

namespace p2pd {

Worker::Worker(sd_event* loop) : wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wakeup_) throw std::system_error(errno, std::generic_category(), "eventfd");
  sd_event_source* source = nullptr;
  must_work(sd_event_add_io(
                loop, &source, wakeup_.get(), EPOLLIN,
                [](sd_event_source*, int, std::uint32_t, void* self) noexcept {
                  static_cast<Worker*>(self)->deliver();
                  return 0;
                },
                this),
            "sd_event_add_io");
  source_.reset(source);
  thread_ = std::thread([this] { work_off(); });
}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

tl::unexpected<Reason> Worker::note_exception(const std::exception& error) {
  spdlog::error("a job threw: {}", error.what());
  return refuse(ErrorCode::failed, error.what());
}

void Worker::enqueue(std::unique_ptr<Job> job) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void Worker::work_off() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job->run();
    lock.lock();
    finished_.push_back(std::move(job));
    // Cannot fail: the counter is far from its end, and the fd is ours.
    ::eventfd_write(wakeup_.get(), 1);
  }
}

void Worker::deliver() {
  eventfd_t count = 0;
  ::eventfd_read(wakeup_.get(), &count);
  std::vector<std::unique_ptr<Job>> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  for (const auto& job : finished) job->deliver();
}

}  // namespace p2pd
