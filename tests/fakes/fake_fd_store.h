// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A service manager's fd store in memory. Keeps copies as the real one does, drops leases that hang up, and ends the
// program when it is used in a way that loses fds in earnest.
#pragma once

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "state/fd_store.h"

namespace p2pd::fakes {

// A broken invariant is a bug in the program under test, wherever it runs: loud, in unit and bus tests alike.
[[noreturn]] inline void broken(const std::string& rule) {
  std::fprintf(stderr, "invariant broken: %s\n", rule.c_str());
  std::abort();
}

// Two fds of one open file have the same; pipes, sockets and memfds have one each.
using FileIdentity = std::pair<dev_t, ino_t>;

inline FileIdentity identity_of(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) < 0) broken("fstat of a closed fd");
  return {status.st_dev, status.st_ino};
}

class FakeFdStore final : public FdStore {
 public:
  Outcome<void> keep(const std::string& name, int fd, bool is_lease) override {
    const std::lock_guard lock(mutex_);
    drop_what_hung_up();
    if (name.empty() || name.size() > fd_name_limit) broken("a name in the fd store has 1 to 16 characters: " + name);
    if (is_lease != name.ends_with(".l")) broken("leases are named *.l, and nothing else: " + name);
    if (entries_.contains(name)) broken("a name in the fd store is unique: " + name);
    if (entries_.size() >= limit_) return refuse(ErrorCode::quota_exceeded, "the fd store is full");
    entries_.emplace(name, Kept{UniqueFd::duplicate(fd), is_lease});
    ever_kept_.insert(name);
    return {};
  }

  void remove(const std::vector<std::string>& names) override {
    const std::lock_guard lock(mutex_);
    ++barriers_;
    drop_what_hung_up();
    for (const auto& name : names)
      if (entries_.erase(name) == 0 && !name.ends_with(".l")) broken("removed from the fd store without being there: " + name);
  }

  std::vector<Entry> take_back() override {
    const std::lock_guard lock(mutex_);
    drop_what_hung_up();
    std::vector<Entry> result;
    for (const auto& [name, kept] : entries_) result.push_back({name, UniqueFd::duplicate(kept.fd.get())});
    return result;
  }

  // For tests.
  void set_limit(std::size_t limit) { limit_ = limit; }
  [[nodiscard]] std::vector<std::string> names() {
    const std::lock_guard lock(mutex_);
    drop_what_hung_up();
    std::vector<std::string> result;
    for (const auto& [name, kept] : entries_) result.push_back(name);
    return result;
  }
  [[nodiscard]] unsigned barriers() {
    const std::lock_guard lock(mutex_);
    return barriers_;
  }

  // A lease that hung up was kept all the same.
  [[nodiscard]] bool was_ever_kept(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return ever_kept_.contains(name);
  }

  // For FakeVfio: the name of this file, "" = not kept.
  [[nodiscard]] std::string name_of(int fd) {
    const std::lock_guard lock(mutex_);
    const auto wanted = identity_of(fd);
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const auto& entry) { return identity_of(entry.second.fd.get()) == wanted; });
    return found == entries_.end() ? "" : found->first;
  }

 private:
  struct Kept {
    UniqueFd fd;
    bool is_lease;
  };

  // FDPOLL=1, the default.
  void drop_what_hung_up() {
    std::erase_if(entries_, [](const auto& entry) {
      pollfd poll_fd{.fd = entry.second.fd.get(), .events = 0, .revents = 0};
      return entry.second.is_lease && ::poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR)) != 0;
    });
  }

  std::mutex mutex_;
  std::map<std::string, Kept> entries_;
  std::set<std::string> ever_kept_;
  std::size_t limit_ = fd_store_limit;
  unsigned barriers_ = 0;
};

}  // namespace p2pd::fakes
