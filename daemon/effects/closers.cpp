// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The threads that close what clients made. One is enough for what closes at once: memfds, and leases with nothing queued
// in them. Everything else may take for ever, and gets a few threads of its own; when all of them are stuck, what comes
// after waits. No request that is granted passes such a file, so it is nobody's that waits, and no count per user is needed.
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "effects/lease.h"
#include "model/foreign_fd.h"

namespace p2pd {

namespace {

class Closers {
 public:
  Closers(unsigned most, void (*close)(UniqueFd)) : most_(most), close_(close) {}
  Closers(const Closers&) = delete;
  Closers& operator=(const Closers&) = delete;
  // Never: a thread that is stuck would not let us leave.
  ~Closers() = delete;

  void take(UniqueFd file) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(file));
    changed_.notify_one();
    if (queue_.size() <= idle_) return;
    if (threads_ < most_)
      start_another();
    else if (most_ > 1 && queue_.size() == 1)
      spdlog::warn("{} files that clients passed do not close, and more wait for them", most_);
  }

 private:
  // Without one the file waits for a thread that is there, or for the next file.
  void start_another() {
    try {
      std::thread([this] { work_off(); }).detach();
      ++threads_;
    } catch (const std::system_error& error) {
      spdlog::error("no thread to close what clients passed: {}", error.what());
    }
  }

  void work_off() {
    constexpr std::chrono::seconds rest{10};  // then a thread goes
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      const bool has_work = changed_.wait_for(lock, rest, [this] { return !queue_.empty(); });
      --idle_;
      if (!has_work) break;
      auto file = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      close_(std::move(file));
      lock.lock();
    }
    --threads_;
  }

  const unsigned most_;
  void (*const close_)(UniqueFd);
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<UniqueFd> queue_;
  unsigned threads_ = 0;
  unsigned idle_ = 0;
};

void close_slowly(UniqueFd file) { file.reset(); }

void close_at_once(UniqueFd file) {
  static auto* const slow = new Closers(8, close_slowly);
  const auto is_memfd = [&] { return ::fcntl(file.get(), F_GET_SEALS) >= 0; };
  if (is_memfd() || is_empty_socket(file.get()))
    file.reset();
  else
    slow->take(std::move(file));
}

}  // namespace

void ForeignFd::close_elsewhere(UniqueFd file) noexcept {
  try {
    static auto* const quick = new Closers(1, close_at_once);
    quick->take(std::move(file));
  } catch (const std::bad_alloc&) {
    spdlog::error("no memory to close elsewhere what a client passed");
  }
}

}  // namespace p2pd
