// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A system bus of one's own: dbus-daemon with the rules of a system bus and p2pd's shipped policy.
#pragma once

#include <set>
#include <string>

#include "harness/process.h"

struct sd_bus;

namespace p2pd::test {

class PrivateBus {
 public:
  // Its files are in `directory`.
  explicit PrivateBus(const std::filesystem::path& directory);

  [[nodiscard]] const std::string& address() const { return address_; }

  // A connection as another user: the bus takes effective uid and groups of whoever connects.
  [[nodiscard]] sd_bus* connect(uid_t uid = 0, const std::set<gid_t>& groups = {}) const;

 private:
  std::string address_;
  std::optional<ChildProcess> daemon_;
};

}  // namespace p2pd::test
