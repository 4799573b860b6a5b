// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Initiators that must go. A device's descriptor cannot be recalled: its client is told, has until a deadline to close it,
// and then what p2pd keeps is unmapped and closed, and who still has the device is ended if it is the owner, else named.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "arbiter/arbiter.h"

namespace p2pd {

namespace {

// From the first notice on.
constexpr std::chrono::milliseconds time_to_let_go{2000};
// For who gives the holding back at the last moment, and closes the device after that.
constexpr std::chrono::milliseconds time_to_close{500};

}  // namespace

void Arbiter::take_away(Holding& holding, RevokeReason reason, std::chrono::milliseconds grace) {
  // What its client gave back by itself.
  if (holding.phase == GrantPhase::ending) return;
  const auto by = now_ + std::max(grace, time_to_let_go);
  holding.must_go_by = std::min(holding.must_go_by.value_or(by), by);
  revoke(holding.id, reason, grace);
}

void Arbiter::take_away_all_of(const Address& device, const std::string& why) {
  for (auto& [id, holding] : state_.holdings) {
    if (holding.initiator != device) continue;
    if (holding.phase != GrantPhase::ending && !holding.must_go_by)
      note(Journal::What::revoked, name_of(id), holding.owner, device, "", why);
    take_away(holding, RevokeReason::device_wanted, time_to_let_go);
  }
}

// The kernel keeps asking until the function is closed: what was done the first time is not done again.
void Arbiter::on(const DeviceWanted& event) {
  lose_targets_of(event.device, RevokeReason::device_wanted);
  take_away_all_of(event.device, being_removed);
}

void Arbiter::clear_out(const Holding& holding) {
  // Whoever gave it back: the device is closed after the answer.
  answer_those_who_wait(holding.id);
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*holding.must_go_by - now_);
  clearing_.insert(holding.id);
  effects_.emplace_back(ClearOut{.holding = holding.id,
                                 .initiator = holding.initiator,
                                 .iommu_group = holding.iommu_group,
                                 .uid = holding.owner.uid,
                                 // Who gave the holding back has said that it is done: a long grace is not for it.
                                 .patience = std::clamp(left, time_to_close, time_to_let_go)});
}

void Arbiter::on(const ClearedOut& event) {
  const auto found = state_.holdings.find(event.holding);
  if (found == state_.holdings.end()) return;  // p2pd stops, and did not wait for it
  const auto& holding = found->second;
  if (event.owner_was_killed)
    note(Journal::What::killed, name_of(event.holding), holding.owner, holding.initiator, "",
         fmt::format("its owner, pid {}, did not close the device in time", holding.owner.pid));
  finish_holding(event.holding, event.left);
}

void Arbiter::finish_holding(HoldingId id, const std::vector<std::string>& left) {
  const auto node = state_.holdings.extract(id);
  const auto& holding = node.mapped();
  clearing_.erase(id);
  revoking_.erase(id);
  const auto text = left.empty() ? "" : fmt::format("still open in {}", fmt::join(left, "; "));
  note(Journal::What::ended, name_of(id), holding.owner, holding.initiator, "", text);
  announce(id, Announce::What::removed);
  answer_those_who_wait(id);
  if (left.empty()) return answer_who_took_away(holding, {});
  answer_who_took_away(holding,
                       refuse(ErrorCode::busy, fmt::format("{} is unmapped, but {}", holding.initiator.to_string(), text)));
}

void Arbiter::answer_who_took_away(const Holding& holding, const Outcome<void>& outcome) {
  const auto [first, last] = withdrawing_.equal_range(holding.id);
  for (auto waiting = first; waiting != last; ++waiting) reply(waiting->second, outcome.map([] { return ReplyValue{}; }));
  withdrawing_.erase(first, last);
  if (outcome) return;
  // No use in asking the kernel, which would wait for them.
  const auto change = changing_driver_.find(holding.initiator);
  if (change == changing_driver_.end() || !change->second.waits_for_function) return;
  DriverChanged failed{change->second.request, change->second.devices, outcome};
  on(failed);
}

void Arbiter::stop_clearing() {
  for (const auto id : std::set<HoldingId>(clearing_)) finish_holding(id, {});
}

}  // namespace p2pd
