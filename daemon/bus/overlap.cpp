// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/overlap.h"

namespace p2pd {

namespace {

constexpr std::size_t most_senders = 1024;

}  // namespace

bool Overlap::is_seen(const std::string& sender, std::uint64_t begin) const {
  const auto found = arrived_.find(sender);
  return found != arrived_.end() && begin < found->second;
}

void Overlap::taken_up(const std::string& sender, std::uint64_t read, std::uint64_t arrived) {
  // What lies behind us says nothing any more; and no memory without end for senders who come and go.
  if (arrived_.size() >= most_senders) std::erase_if(arrived_, [&](const auto& entry) { return entry.second <= read; });
  if (arrived_.size() >= most_senders) arrived_.clear();
  arrived_[sender] = arrived;
}

}  // namespace p2pd
