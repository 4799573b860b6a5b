// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Mapping client memory and targets into the address space of a holding.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "arbiter/arbiter.h"
#include "arbiter/terms.h"
#include "topology/topology.h"

namespace p2pd {

namespace {

std::string codes_of(const Verdict& verdict) {
  std::vector<std::string> codes;
  for (const auto& blocker : verdict.blockers)
    if (blocker.severity != Severity::limit) codes.push_back(blocker.code);
  return fmt::format("[{}]", fmt::join(codes, " "));
}

}  // namespace

Outcome<Holding*> Arbiter::usable_holding(const Caller& caller, HoldingId id) {
  const auto found = state_.holdings.find(id);
  if (found == state_.holdings.end()) return refuse(ErrorCode::gone, name_of(id) + " is gone");
  if (found->second.owner.uid != caller.euid) return refuse(ErrorCode::not_permitted, name_of(id) + " belongs to another user");
  if (found->second.phase != GrantPhase::active) return refuse(ErrorCode::gone, name_of(id) + " is ending");
  return &found->second;
}

Outcome<void> Arbiter::within_mapping_quota(const Caller& caller, Bytes pinned) const {
  unsigned count = 0;
  auto left = settings_.limits.bytes.value;
  for (const auto& [id, mapping] : state_.mappings) {
    if (mapping.owner.uid != caller.euid) continue;
    ++count;
    // Only client memory is pinned; a BAR is there anyway. The sum never exceeds the limit, so it does not wrap.
    if (!mapping.target) left -= std::min(left, mapping.iova.length.value);
  }
  if (count >= settings_.limits.mappings)
    return refuse(ErrorCode::quota_exceeded, fmt::format("uid {} has {} mappings already", caller.euid, count));
  if (pinned.value > left)
    return refuse(ErrorCode::quota_exceeded,
                  fmt::format("uid {} may pin {} more bytes, not {}", caller.euid, left, pinned.value));
  return {};
}

Mapping& Arbiter::new_mapping(RequestId id, const Caller& caller, std::optional<HoldingId> holding, Range<Iova> iova,
                              Access access) {
  const MappingId mapping{next_id_++};
  opening_.emplace(mapping, id);
  return state_.mappings
      .emplace(
          mapping,
          Mapping{.id = mapping, .holding = holding, .owner = owner_from(caller), .target = {}, .iova = iova, .access = access})
      .first->second;
}

void Arbiter::on(RequestId id, const Caller& caller, MapMemory& command) {
  const auto holding = usable_holding(caller, command.holding);
  if (!holding) return reply(id, tl::unexpected(holding.error()));
  if (const auto fits = within_mapping_quota(caller, command.length); !fits) return reply(id, tl::unexpected(fits.error()));
  const auto iova = (*holding)->space.take(command.length);
  if (!iova) return reply(id, tl::unexpected(iova.error()));

  auto& mapping = new_mapping(id, caller, command.holding, *iova, command.access);
  mapping.has_own_lease = command.lease.has_value();
  effects_.emplace_back(MapClientMemory{.mapping = mapping.id,
                                        .holding = command.holding,
                                        .memfd = std::move(command.memfd),
                                        .offset = command.offset,
                                        .iova = *iova,
                                        .access = command.access,
                                        .lease = std::move(command.lease)});
}

// Whoever holds an initiator that reaches it past the IOMMU needs no mapping.
Outcome<void> Arbiter::not_reached_by_others(const Owner& owner, const TargetName& name) const {
  for (const auto* other : holdings_reaching(*machine_, state_, name.device))
    if (other->owner.uid != owner.uid)
      return refuse(ErrorCode::busy, fmt::format("{} is within reach of {} of another user [reach-not-owned]", name.to_string(),
                                                 name_of(other->id)));
  return {};
}

Outcome<const Target*> Arbiter::usable_target(const Owner& owner, std::optional<HoldingId> holding, const TargetName& name,
                                              Access access) const {
  auto target = enabled_target(state_, *machine_, name);
  if (!target) return target;
  if ((*target)->pool)
    return refuse(ErrorCode::not_supported,
                  name.to_string() + " is memory of a kernel driver, which AllocatePeerMemory lends, and nothing else does");
  if (const auto quiet = not_resetting(name.device); !quiet) return error_of(quiet);
  const auto text = name.to_string();
  if (const auto device = devices_.find(name.device);
      device == devices_.end() || device->second.phase != TargetDevice::Phase::open)
    return refuse(ErrorCode::busy, name.device.to_string() + " is being closed and opened again right now");
  if ((*target)->access && !allows(*(*target)->access, access))
    return refuse(ErrorCode::not_permitted,
                  fmt::format("{} is enabled for access {}, not {}", text, to_string(*(*target)->access), to_string(access)));
  if (const auto apart = not_reached_by_others(owner, name); !apart) return error_of(apart);
  for (const auto& [id, mapping] : state_.mappings)
    if (!mapping.holding && mapping.target->device == name.device)
      return refuse(ErrorCode::busy, fmt::format("{} is exported by {}, which ends with the whole function only",
                                                 name.device.to_string(), name_of(id)));
  for (const auto user : mappings_of((*target)->name)) {
    const auto& mapping = state_.mappings.at(user);
    if ((*target)->exclusive && mapping.holding != holding)
      return refuse(ErrorCode::busy, fmt::format("{} is exclusive and in use by {}", (*target)->name.to_string(), name_of(user)));
    // Shared means shared contents, but different users get disjoint ranges.
    if (mapping.owner.uid != owner.uid && span_of(*mapping.target).overlaps(span_of(name)))
      return refuse(ErrorCode::busy, fmt::format("{} overlaps {} of another user", text, name_of(user)));
  }
  return target;
}

void Arbiter::on(RequestId id, const Caller& caller, MapTarget& command) {
  const auto refused = [&](const Reason& reason) { reply(id, tl::unexpected(reason)); };
  const auto held = usable_holding(caller, command.holding);
  if (!held) return refused(held.error());
  auto& holding = **held;
  if (!command.backend.empty() && command.backend != holding.backend)
    return refused({ErrorCode::not_supported, fmt::format("{} is mapped by {}, not by {}: Acquire chooses the back end",
                                                          name_of(holding.id), holding.backend, command.backend)});
  const auto name = resolved(*machine_, command.target);
  if (!name) return refused(name.error());
  const auto enabled = enabled_target(state_, *machine_, *name);
  if (!enabled) return refused(enabled.error());
  const auto access = command.access.value_or((*enabled)->access.value_or(Access::read_write));
  if (const auto usable = usable_target(holding.owner, holding.id, *name, access); !usable) return refused(usable.error());

  const auto verdict = check(holding.initiator, *name, holding.address_bits, &holding, access);
  if (verdict.answer != Answer::yes)
    return refused({ErrorCode::blocked, fmt::format("{} cannot reach {}: the answer is {} {}", holding.initiator.to_string(),
                                                    name->to_string(), to_string(verdict.answer), codes_of(verdict))});
  if (verdict.route == Route::switched && !caller.granted.contains(Action::switch_route))
    return refused(
        {ErrorCode::not_permitted, "on a switch route nothing limits the access: action org.p2pd1.switch-route is needed"});
  if (verdict.route == Route::switched && !(*enabled)->exclusive)
    return refused({ErrorCode::blocked,
                    name->to_string() + " is shared, and nothing limits access on a switch route [switch-route-shared]"});
  if (const auto fits = within_mapping_quota(caller, Bytes{0}); !fits) return refused(fits.error());

  // Where the switch routes directly the cookie is the bus address, whatever the IOMMU says about it.
  auto fixed = command.cookie ? make_range(*command.cookie, name->length) : std::nullopt;
  if (command.cookie && !fixed) return refused({ErrorCode::invalid_argument, "the cookie's range does not fit into 64 bits"});
  if (verdict.route == Route::switched) {
    const auto bus = bus_range(*machine_, *name);
    if (!bus)
      return refused({ErrorCode::blocked, "the bus address of " + name->to_string() + " is not known [bus-address-unknown]"});
    if (fixed && fixed != bus)
      return refused(
          {ErrorCode::invalid_argument, fmt::format("on a switch route the cookie is the bus address {:#x}", bus->begin.value)});
    fixed = bus;
  }
  const auto iova = fixed ? holding.space.take_at(*fixed, verdict.route == Route::switched) : holding.space.take(name->length);
  if (!iova) return refused(iova.error());

  auto& mapping = new_mapping(id, caller, holding.id, *iova, access);
  mapping.target = *name;
  mapping.route = verdict.route;
  mapping.has_own_lease = command.lease.has_value();
  effects_.emplace_back(MapPeer{.mapping = mapping.id,
                                .holding = holding.id,
                                .target = name->device,
                                .bar = name->bar,
                                .offset = name->offset,
                                .iova = *iova,
                                .access = access,
                                .lease = std::move(command.lease)});
}

void Arbiter::on(Mapped& event) {
  const auto found = state_.mappings.find(event.mapping);
  if (found == state_.mappings.end()) return;
  auto& mapping = found->second;
  const auto request = opening_.extract(GrantId{event.mapping}).mapped();
  const auto lease_ended = ended_early_.erase(event.mapping) != 0;

  if (!event.outcome) {
    reply(request, tl::unexpected(event.outcome.error()));
    return forget_mapping(event.mapping);
  }
  if (mapping.pool) remember_who_has(mapping);
  // The holding, the lease or the target went while the kernel was mapping.
  if (mapping.phase == GrantPhase::ending || lease_ended || mapping.phase == GrantPhase::revoking) {
    reply(request,
          refuse(ErrorCode::gone, lease_ended ? "the lease ended or the target was disabled" : "what it would be on is ending"));
    if (mapping.phase != GrantPhase::ending) end_mapping(mapping);
    return;
  }
  mapping.phase = GrantPhase::active;
  announce(event.mapping, Announce::What::added);
  if (!mapping.holding) {
    note(Journal::What::granted, name_of(event.mapping), mapping.owner, {}, mapping.target->to_string(),
         mapping.pool ? "peer memory" : "dma-buf");
    return reply(request, ReplyValue{Exported{event.mapping}});
  }
  const auto& holding = state_.holdings.at(*mapping.holding);
  announce(holding.id, Announce::What::changed);
  note(Journal::What::granted, name_of(event.mapping), mapping.owner, holding.initiator,
       mapping.target ? mapping.target->to_string() : "memory", fmt::format("cookie {:#x}", mapping.iova.begin.value));
  if (!mapping.target) return reply(request, ReplyValue{MemoryMapped{event.mapping, mapping.iova.begin}});
  reply(request, ReplyValue{PeerMapped{event.mapping, mapping.iova.begin, mapping.iova.length}});
}

void Arbiter::end_mapping(Mapping& mapping) {
  if (mapping.phase == GrantPhase::ending) return;
  mapping.phase = GrantPhase::ending;
  if (mapping.holding)
    effects_.emplace_back(Unmap{.mapping = mapping.id, .holding = *mapping.holding, .iova = mapping.iova});
  else if (mapping.pool)
    effects_.emplace_back(EndPeerMemory{mapping.id});
  else
    end_export(mapping);
  announce(mapping.id, Announce::What::changed);
}

void Arbiter::on(Unmapped& event) {
  const auto found = state_.mappings.find(event.mapping);
  if (found == state_.mappings.end()) return;
  const auto& mapping = found->second;
  const auto initiator =
      mapping.holding ? std::optional(state_.holdings.at(*mapping.holding).initiator) : std::optional<Address>();
  if (!event.outcome) {
    // A mapping that cannot be taken back alone goes with its whole address space; who waits is answered then. Until then it
    // and its range are accounted for, as they are mapped. Should that fail too, the daemon gives up (CloseHolding).
    note(Journal::What::revoked, name_of(event.mapping), mapping.owner, initiator, "", event.outcome.error().text);
    return end_holding(state_.holdings.at(*mapping.holding));
  }
  if (mapping.target)
    note(Journal::What::ended, name_of(event.mapping), mapping.owner, initiator, mapping.target->to_string(),
         mapping.pool ? "who kept the descriptor reaches it until its driver is unbound" : "");
  forget_mapping(event.mapping);
}

// Nothing of it is in the kernel any more.
void Arbiter::forget_mapping(MappingId id) {
  const auto node = state_.mappings.extract(id);
  if (node.empty()) return;
  revoking_.erase(id);
  const auto& mapping = node.mapped();
  if (mapping.phase != GrantPhase::opening) announce(id, Announce::What::removed);
  if (mapping.holding) {
    state_.holdings.at(*mapping.holding).space.give_back(mapping.iova);
    announce(*mapping.holding, Announce::What::changed);
  }
  answer_those_who_wait(id);
  if (!mapping.target) return;
  // Disabling waits for the last mapping.
  std::vector<TargetName> waiting;
  for (const auto& [name, target] : state_.targets)
    if (name.device == mapping.target->device && target.phase == Target::Phase::disabling) waiting.push_back(name);
  for (const auto& name : waiting) finish_disable(name);
}

}  // namespace p2pd
