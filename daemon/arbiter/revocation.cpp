// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How grants end: released, revoked in two phases, with their lease, with the daemon.
#include <fmt/format.h>

#include "arbiter/arbiter.h"

namespace p2pd {

Outcome<const Owner*> Arbiter::owner_of(GrantId grant) const {
  if (const auto* id = std::get_if<HoldingId>(&grant)) {
    if (const auto found = state_.holdings.find(*id); found != state_.holdings.end()) return &found->second.owner;
  } else if (const auto found = state_.mappings.find(std::get<MappingId>(grant)); found != state_.mappings.end()) {
    return &found->second.owner;
  }
  return refuse(ErrorCode::gone, name_of(grant) + " is gone");
}

bool Arbiter::is_ending(GrantId grant) const {
  if (const auto* id = std::get_if<HoldingId>(&grant)) return state_.holdings.at(*id).phase == GrantPhase::ending;
  return state_.mappings.at(std::get<MappingId>(grant)).phase == GrantPhase::ending;
}

GrantId Arbiter::lease_of(GrantId grant) const {
  const auto* id = std::get_if<MappingId>(&grant);
  if (id == nullptr || state_.mappings.at(*id).has_own_lease) return grant;
  return *state_.mappings.at(*id).holding;  // an export always has its own
}

void Arbiter::end_grant(GrantId grant) {
  if (const auto* id = std::get_if<HoldingId>(&grant)) {
    if (const auto found = state_.holdings.find(*id); found != state_.holdings.end()) end_holding(found->second);
  } else if (const auto found = state_.mappings.find(std::get<MappingId>(grant)); found != state_.mappings.end()) {
    end_mapping(found->second);
  }
}

void Arbiter::on(RequestId id, const Caller& caller, Release& command) {
  const auto owner = owner_of(command.grant);
  if (!owner) return reply(id, tl::unexpected(owner.error()));
  if (caller.euid != 0 && (*owner)->uid != caller.euid)
    return reply(id, refuse(ErrorCode::not_permitted, name_of(command.grant) + " belongs to another user"));
  if (opening_.contains(command.grant))
    return reply(id, refuse(ErrorCode::busy, name_of(command.grant) + " is being made right now"));
  // To close the device is left to the client, who may wait for this answer first.
  if (const auto* holding = std::get_if<HoldingId>(&command.grant); holding != nullptr && clearing_.contains(*holding))
    return reply(id, ReplyValue{});
  reply_when_gone(id, command.grant);
  end_grant(command.grant);
}

void Arbiter::on(RequestId id, const Caller&, Revoke& command) {
  const auto owner = owner_of(command.grant);
  if (!owner) return reply(id, tl::unexpected(owner.error()));
  if (opening_.contains(command.grant))
    return reply(id, refuse(ErrorCode::busy, name_of(command.grant) + " is being made right now"));
  note(Journal::What::revoked, name_of(command.grant), **owner, {}, "", command.why);
  reply_when_gone(id, command.grant);
  revoke(command.grant, RevokeReason::operator_, command.grace);
}

// Phase one: say so, with a deadline. Phase two, at the deadline or when the client let go: the unmap. Without grace both
// come at once. A grant that is still being made ends as soon as the kernel is done with it.
void Arbiter::revoke(GrantId grant, RevokeReason reason, std::chrono::milliseconds grace) {
  if (opening_.contains(grant)) {
    ended_early_.insert(grant);
    return;
  }
  if (is_ending(grant)) return;

  if (const auto* id = std::get_if<MappingId>(&grant)) {
    state_.mappings.at(*id).phase = GrantPhase::revoking;
  } else {
    state_.holdings.at(std::get<HoldingId>(grant)).phase = GrantPhase::revoking;
  }
  if (grace.count() > 0) {
    // A deadline that was given is not moved back by another revocation.
    if (const auto known = revoking_.find(grant); known != revoking_.end() && known->second.until <= now_ + grace) return;
    revoking_[grant] = {.reason = reason, .until = now_ + grace};
    effects_.emplace_back(
        Tell{.grant = grant, .lease = lease_of(grant), .what = Tell::What::revoking, .reason = reason, .grace = grace});
    effects_.emplace_back(StartDeadline{.grant = grant, .after = grace});
    std::visit([&](auto id) { announce(id, Announce::What::changed); }, grant);
    return;
  }
  effects_.emplace_back(
      Tell{.grant = grant, .lease = lease_of(grant), .what = Tell::What::revoked, .reason = reason, .grace = {}});
  end_grant(grant);
}

void Arbiter::on(const DeadlinePassed& event) {
  const auto cause = revoking_.extract(event.grant);
  if (cause.empty() || !owner_of(event.grant) || is_ending(event.grant)) return;
  effects_.emplace_back(Tell{.grant = event.grant,
                             .lease = lease_of(event.grant),
                             .what = Tell::What::revoked,
                             .reason = cause.mapped().reason,
                             .grace = {}});
  end_grant(event.grant);
}

void Arbiter::on(const LeaseEnded& event) {
  if (opening_.contains(event.grant)) {
    ended_early_.insert(event.grant);
    return;
  }
  end_grant(event.grant);
}

void Arbiter::on(const StopRequested&) {
  if (state_.stopping) return;
  state_.stopping = true;
  for (auto& [id, holding] : state_.holdings) revoke(id, RevokeReason::stopping, std::chrono::milliseconds{0});
  std::vector<Address> open;
  open.reserve(devices_.size());
  for (const auto& [address, device] : devices_) open.push_back(address);
  for (const auto& address : open) drop_targets_of(address, RevokeReason::stopping);
  drop_all_pools(RevokeReason::stopping);
  stop_clearing();
}

}  // namespace p2pd
