// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A file of a FUSE that does not let one process close it: the flush of every close of its stays without an answer.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "model/unique_fd.h"

namespace p2pd::test {

class FuseFile {
 public:
  // Nothing where FUSE cannot be mounted. `directory`: for its mount point.
  [[nodiscard]] static std::unique_ptr<FuseFile> mount(const std::filesystem::path& directory, pid_t stuck);
  FuseFile(const FuseFile&) = delete;
  FuseFile& operator=(const FuseFile&) = delete;
  // Fails what is not answered.
  ~FuseFile();

  [[nodiscard]] UniqueFd open() const;
  // How many closes wait for their answer now.
  [[nodiscard]] std::size_t stuck_closes() const;
  // From now on every close is answered.
  void let_go();

 private:
  FuseFile(std::filesystem::path path, UniqueFd device, pid_t stuck);
  void serve();
  void answer_one();
  void reply(std::uint64_t unique, int error, const void* body, std::size_t size) const;

  std::filesystem::path path_;
  UniqueFd device_;
  UniqueFd leave_;
  pid_t stuck_;
  mutable std::mutex mutex_;
  bool lets_go_ = false;
  std::vector<std::uint64_t> waiting_;
  std::thread thread_;
};

}  // namespace p2pd::test
