// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A device that must go, once p2pd has unmapped and closed everything but one descriptor of it: until nobody else has it open.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "driver/binding.h"
#include "model/reason.h"
#include "model/unique_fd.h"

namespace p2pd {

struct Clearing {
  UniqueFd device;                     // a copy of the descriptor that the owner got
  UniqueFd owner;                      // pidfd; empty = not known for certain: nobody is ended then
  uid_t uid = 0;                       // whom it was lent to
  std::filesystem::path group;         // node of its IOMMU group: opens only when nobody has a function of it
  std::chrono::milliseconds patience;  // before the owner is ended
};

struct Cleared {
  bool owner_was_killed = false;
  std::vector<std::string> left;  // empty = nobody has it open
};

// Takes the patience and a few seconds; longer while a process that is looked at hangs in the kernel. Ends the owner only, and
// only if it has this very device; anybody else is named.
[[nodiscard]] Outcome<Cleared> clear_out(Clearing clearing, const GroupProbe& probe = probe_group);

}  // namespace p2pd
