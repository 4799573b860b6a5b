// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arbiter/arbiter.h"

#include <fmt/format.h>

#include "arbiter/terms.h"
#include "verdict/judge.h"

namespace p2pd {

Arbiter::Arbiter(ArbiterSettings settings, std::shared_ptr<const Machine> machine, PlatformTables tables)
    : settings_(std::move(settings)), machine_(std::move(machine)), tables_(std::move(tables)), next_id_(settings_.first_id) {
  state_.lent_pools = settings_.lent_pools;
}

std::vector<Effect> Arbiter::handle(Event event, std::chrono::microseconds now) {
  now_ = now;
  std::visit([this](auto& what) { on(what); }, event);
  unbind_what_was_given_back();
  reset_what_was_given_back();
  leave_if_done();
  return std::exchange(effects_, {});
}

void Arbiter::on(Request& request) {
  if (state_.stopping) return reply(request.id, refuse(ErrorCode::gone, "p2pd is stopping"));
  std::visit([&](auto& command) { on(request.id, request.caller, command); }, request.command);
}

Verdict Arbiter::check(const Address& initiator, const TargetName& target, unsigned address_bits, const Holding* holding,
                       Access access) const {
  auto verdict = judge(*machine_, tables_, initiator, target, {.address_bits = address_bits, .access = access});

  const auto* initiator_function = machine_->find(initiator);
  const auto* target_function = machine_->find(target.device);
  if (initiator_function == nullptr || target_function == nullptr) return verdict;

  judge_offer(initiator, verdict.blockers);
  judge_enabled(target, verdict.blockers);
  if (auto held = group_blocker(*initiator_function, holding)) verdict.blockers.push_back(std::move(*held));
  verdict.conclude();
  return verdict;
}

std::vector<Outline> Arbiter::outlines(std::span<const Address> initiators, std::span<const TargetName> targets) const {
  const Outliner outliner(*machine_, tables_);
  std::vector<PairEnd> columns;
  columns.reserve(targets.size());
  for (const auto& target : targets) {
    auto& column = columns.emplace_back(outliner.target(target));
    judge_enabled(target, column.blockers);
    column.conclude();
  }
  std::vector<Outline> cells;
  cells.reserve(initiators.size() * targets.size());
  for (const auto& initiator : initiators) {
    auto row = outliner.initiator(initiator);
    judge_offer(initiator, row.blockers);
    if (const auto* function = row.place.function)
      if (auto held = group_blocker(*function, nullptr)) row.blockers.push_back(std::move(*held));
    row.conclude();
    for (const auto& column : columns) cells.push_back(outliner.between(row, column));
  }
  return cells;
}

// What an operator accepted stands against nobody any more.
void Arbiter::judge_offer(const Address& initiator, std::vector<Blocker>& blockers) const {
  const auto offer = state_.offers.find(initiator);
  if (offer != state_.offers.end()) {
    if (offer->second.trusted_firmware)
      std::erase_if(blockers, [](const Blocker& blocker) { return blocker.code == "ats-enabled"; });
    return;
  }
  blockers.push_back({.code = "initiator-not-offered",
                      .severity = Severity::setup,
                      .where = initiator.to_string(),
                      .observed = "not offered",
                      .needed = "an operator's offer",
                      .remedy = fmt::format("p2p-client offer {}", initiator.to_string())});
}

void Arbiter::judge_enabled(const TargetName& target, std::vector<Blocker>& blockers) const {
  const auto enabled = enabled_target(state_, *machine_, target);
  if (enabled) {
    if ((*enabled)->is_forced) std::erase_if(blockers, [](const Blocker& blocker) { return blocker.code == "holds-msix"; });
    return;
  }
  blockers.push_back({.code = "target-not-enabled",
                      .severity = Severity::setup,
                      .where = target.to_string(),
                      .observed = "not enabled",
                      .needed = "enabled as a target",
                      .remedy = fmt::format("p2p-client enable {}", target.to_string())});
}

std::optional<Blocker> Arbiter::group_blocker(const Function& function, const Holding* asking) const {
  if (!function.iommu_group) return std::nullopt;
  const auto held_by = [&](std::string who) {
    return Blocker{.code = "group-held",
                   .severity = Severity::setup,
                   .where = fmt::format("IOMMU group {}", *function.iommu_group),
                   .observed = "held by " + std::move(who),
                   .needed = "held by nobody else",
                   .remedy = "p2p-client mappings"};
  };
  for (const auto& [id, holding] : state_.holdings)
    if (holding.iommu_group == *function.iommu_group && &holding != asking) return held_by(name_of(id));
  for (const auto& [address, device] : devices_)
    if (device.iommu_group == *function.iommu_group) return held_by("p2pd for the target " + address.to_string());
  return std::nullopt;
}

void Arbiter::reply(RequestId id, Outcome<ReplyValue> outcome) { effects_.emplace_back(Reply{id, std::move(outcome)}); }

void Arbiter::reply_when_gone(RequestId id, GrantId grant) { ending_.emplace(grant, id); }

void Arbiter::answer_those_who_wait(GrantId grant) {
  const auto [first, last] = ending_.equal_range(grant);
  for (auto waiting = first; waiting != last; ++waiting) reply(waiting->second, ReplyValue{});
  ending_.erase(first, last);
}

void Arbiter::announce(std::variant<HoldingId, MappingId, Address> object, Announce::What what) {
  effects_.emplace_back(Announce{object, what});
}

void Arbiter::note(Journal::What what, std::string subject, const Owner& owner, const std::optional<Address>& initiator,
                   std::string target, std::string text) {
  effects_.emplace_back(Journal{.what = what,
                                .subject = std::move(subject),
                                .initiator = initiator ? initiator->to_string() : "",
                                .target = std::move(target),
                                .uid = owner.uid,
                                .pid = owner.pid,
                                .unit = owner.unit,
                                .text = std::move(text)});
}

void Arbiter::leave_if_done() {
  if (!state_.stopping || has_left_ || !state_.holdings.empty() || !state_.mappings.empty() || !devices_.empty() ||
      !resetting_.empty())
    return;
  has_left_ = true;
  // A driver may hang for ever, and it has nothing of what was lent.
  for (const auto& [address, change] : changing_driver_) {
    if (address != change.devices.front()) continue;
    reply(change.request,
          refuse(ErrorCode::gone, fmt::format("p2pd is stopping, and {} has not changed its driver yet", address.to_string())));
  }
  changing_driver_.clear();
  effects_.emplace_back(Leave{});
}

Owner owner_from(const Caller& caller) { return {.uid = caller.euid, .pid = caller.pid, .unit = caller.unit}; }

std::string name_of(GrantId grant) {
  if (const auto* holding = std::get_if<HoldingId>(&grant)) return fmt::format("holding/{}", holding->value);
  return fmt::format("mapping/{}", std::get<MappingId>(grant).value);
}

std::string to_string(RevokeReason reason) {
  switch (reason) {
    case RevokeReason::operator_: return "operator";
    case RevokeReason::disabled: return "disabled";
    case RevokeReason::device_gone: return "device-gone";
    case RevokeReason::device_reset: return "device-reset";
    case RevokeReason::device_wanted: return "device-wanted";
    case RevokeReason::expired: return "expired";
    case RevokeReason::stopping: return "stopping";
  }
  return "operator";
}

}  // namespace p2pd
