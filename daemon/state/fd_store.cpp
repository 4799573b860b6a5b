// SPDX-License-Identifier: LGPL-2.1-or-later
#include "state/fd_store.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <set>

namespace p2pd {

namespace {

// sd_pid_notify_with_fds(3) takes printable ASCII without colons.
bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= fd_name_limit && std::all_of(name.begin(), name.end(), [](unsigned char character) {
    return std::isalnum(character) != 0 || character == '.';
  });
}

class SystemdFdStore final : public FdStore {
 public:
  explicit SystemdFdStore(std::chrono::milliseconds patience) : patience_(patience) {}

  Outcome<void> keep(const std::string& name, int fd, bool is_lease) override {
    if (!is_name(name)) return refuse(ErrorCode::failed, fmt::format("\"{}\" is no name for the fd store", name));
    if (names_.contains(name)) return refuse(ErrorCode::failed, name + " is in the fd store already");
    if (names_.size() >= fd_store_limit) return refuse(ErrorCode::quota_exceeded, "the fd store is full");
    const auto state = fmt::format("FDSTORE=1\nFDNAME={}{}", name, is_lease ? "" : "\nFDPOLL=0");
    const int sent = sd_pid_notify_with_fds(0, 0, state.c_str(), &fd, 1);
    if (sent < 0) return refuse_errno("cannot put " + name + " into the fd store", -sent);
    if (sent == 0) {
      warn_once();
      return {};
    }
    names_.insert(name);
    return {};
  }

  void remove(const std::vector<std::string>& names) override {
    bool has_asked = false;
    for (const auto& name : names) {
      // Names that the last process left are not in our list, but they are there.
      names_.erase(name);
      const auto state = fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name);
      const int sent = sd_notify(0, state.c_str());
      if (sent < 0) spdlog::error("cannot take {} out of the fd store: {}", name, describe(sent));
      has_asked = has_asked || sent > 0;
    }
    if (!has_asked) return;
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(patience_).count();
    const int met = sd_notify_barrier(0, static_cast<std::uint64_t>(microseconds));
    if (met < 0) spdlog::error("the manager did not take {} fds out of its store in time: {}", names.size(), describe(met));
  }

  std::vector<Entry> take_back() override {
    char** names = nullptr;
    // Sets CLOEXEC on each and takes the variables out of our environment.
    const int count = sd_listen_fds_with_names(1, &names);
    std::vector<Entry> entries;
    if (count < 0) {
      spdlog::error("cannot take back what is in the fd store: {}", describe(count));
      return entries;
    }
    for (int index = 0; index < count; ++index) {
      const char* name = names[index];
      entries.push_back({name, UniqueFd(SD_LISTEN_FDS_START + index)});
      names_.insert(name);
      std::free(names[index]);  // NOLINT(cppcoreguidelines-no-malloc): the library's
    }
    std::free(static_cast<void*>(names));
    return entries;
  }

 private:
  static std::string describe(int negative_errno) { return refuse_errno("sd_notify", -negative_errno).value().text; }

  void warn_once() {
    if (has_warned_) return;
    has_warned_ = true;
    spdlog::warn("no service manager keeps our file descriptors: if p2pd dies, mappings stay live until their clients end");
  }

  std::chrono::milliseconds patience_;
  std::set<std::string> names_;
  bool has_warned_ = false;
};

}  // namespace

std::unique_ptr<FdStore> make_systemd_fd_store(std::chrono::milliseconds patience) {
  return std::make_unique<SystemdFdStore>(patience);
}

}  // namespace p2pd
