// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The service manager's fd store: what must outlive this process. sd_pid_notify_with_fds(3), design §8.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "model/reason.h"
#include "model/unique_fd.h"

namespace p2pd {

// FileDescriptorStoreMax= of the unit. Beyond it the manager drops fds without a word.
inline constexpr std::size_t fd_store_limit = 4096;
// LISTEN_FDNAMES is one string of at most 128 KiB (execve(2)): 4096 names of this length, with room.
inline constexpr std::size_t fd_name_limit = 16;

class FdStore {
 public:
  virtual ~FdStore() = default;

  // Names are at most 16 characters and unique per fd. `is_lease`: the manager drops it by itself when it hangs up
  // (FDPOLL=1); everything else stays until removed (FDPOLL=0). Fails when the store is full: the manager would drop the fd
  // without a word.
  [[nodiscard]] virtual Outcome<void> keep(const std::string& name, int fd, bool is_lease) = 0;
  // Removes it and waits until the manager did so: after this no copy of ours is left there. May block: worker only.
  virtual void remove(const std::vector<std::string>& names) = 0;

  struct Entry {
    std::string name;
    UniqueFd fd;
  };
  // What the manager handed to this process at its start; once.
  [[nodiscard]] virtual std::vector<Entry> take_back() = 0;
};

// The real one (NOTIFY_SOCKET, LISTEN_FDS). Without a manager it keeps nothing and says so once in the log.
// `patience`: how long remove() waits for the manager.
[[nodiscard]] std::unique_ptr<FdStore> make_systemd_fd_store(std::chrono::milliseconds patience = std::chrono::seconds{5});

}  // namespace p2pd
