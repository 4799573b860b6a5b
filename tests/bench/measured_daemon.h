// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2pd itself as a child process, looked at from outside.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "harness/private_bus.h"
#include "harness/process.h"

namespace p2pd::bench {

class MeasuredDaemon {
 public:
  // Returns when it is ready, as the service manager would know it: READY=1.
  MeasuredDaemon(const test::PrivateBus& bus, const std::filesystem::path& sysfs_root);
  MeasuredDaemon(const MeasuredDaemon&) = delete;
  MeasuredDaemon& operator=(const MeasuredDaemon&) = delete;
  // Ends it, and waits until the bus knows.
  ~MeasuredDaemon();

  [[nodiscard]] double seconds_to_start() const { return seconds_to_start_; }
  [[nodiscard]] double resident_mib() const;
  // Of all threads, voluntary or not.
  [[nodiscard]] std::uint64_t context_switches() const;

 private:
  test::TemporaryDirectory directory_;
  std::optional<test::ChildProcess> process_;
  double seconds_to_start_ = 0;
};

// Runs a program to its end, its output dropped; throws when it fails.
[[nodiscard]] double seconds_to_run(const std::vector<std::string>& arguments);

}  // namespace p2pd::bench
