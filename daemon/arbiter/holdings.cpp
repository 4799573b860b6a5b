// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lending an initiator to a client and taking it back.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arbiter/arbiter.h"
#include "arbiter/terms.h"
#include "platform/ports.h"
#include "topology/topology.h"

namespace p2pd {

namespace {

// Functions within reach that are neither p2pd's nor idle: design §7, "isolation is judged by reach set".
std::vector<std::string> not_owned(const Machine& machine, const State& state, const auto& changing_driver,
                                   const Function& initiator) {
  std::vector<std::string> names;
  const auto reach = reach_set(machine, initiator);
  for (const auto& address : reach.functions) {
    const auto* function = machine.find(address);
    if (function == nullptr || function->is_bridge()) continue;  // ports: see is_driven()
    const auto is_lent = std::any_of(state.holdings.begin(), state.holdings.end(),
                                     [&](const auto& holding) { return holding.second.initiator == address; });
    if (is_lent || changing_driver.contains(address) || is_driven(*function)) names.push_back(address.to_string());
  }
  if (!reach.is_complete) names.emplace_back("what lies beyond ACS, or ATS, that is not known");
  return names;
}

}  // namespace

Outcome<const Function*> Arbiter::may_acquire(const Caller& caller, const Address& initiator) const {
  const auto text = initiator.to_string();
  const auto* function = machine_->find(initiator);
  if (function == nullptr) return refuse(ErrorCode::not_found, "there is no function " + text);
  const auto offer = state_.offers.find(initiator);
  if (offer == state_.offers.end())
    return refuse(ErrorCode::not_offered, fmt::format("{} is not offered: p2p-client offer {}", text, text));
  if (caller.euid != 0 && !offer->second.group.empty() && !caller.groups.contains(offer->second.gid))
    return refuse(ErrorCode::not_permitted, fmt::format("{} is offered to group {} only", text, offer->second.group));
  if (const auto lent = lendable(initiator, offer->second.trusted_firmware); !lent) return tl::unexpected(lent.error());
  if (const auto quiet = no_driver_change_in_group(*function); !quiet) return error_of(quiet);
  if (const auto quiet = not_resetting(initiator); !quiet) return error_of(quiet);
  if (function->driver != "vfio-pci")
    return refuse(ErrorCode::blocked,
                  fmt::format("{} is bound to {}, not to vfio-pci: p2p-client bind {} [initiator-not-on-vfio-pci]", text,
                              function->driver.empty() ? "no driver" : function->driver, text));
  if (!function->iommu_group) return refuse(ErrorCode::blocked, text + " is in no IOMMU group [no-iommu-group]");
  if (const auto held = group_blocker(*function, nullptr))
    return refuse(ErrorCode::busy, fmt::format("{} is {} [group-held]", held->where, held->observed));
  for (const auto* holding : holdings_reaching(*machine_, state_, initiator))
    if (holding->owner.uid != caller.euid)
      return refuse(ErrorCode::blocked,
                    fmt::format("{} is within reach of {} of another user [reach-not-owned]", text, name_of(holding->id)));
  if (caller.euid != 0) {
    auto names = not_owned(*machine_, state_, changing_driver_, *function);
    const auto mapped = mapped_by_others_in_reach(*machine_, state_, *function, caller.euid);
    names.insert(names.end(), mapped.begin(), mapped.end());
    if (!names.empty())
      return refuse(ErrorCode::blocked,
                    fmt::format("{} reaches without passing the IOMMU: {} [reach-not-owned]", text, fmt::join(names, ", ")));
    const auto targets = targets_in_reach(*machine_, state_, *function);
    if (!targets.empty() && !caller.granted.contains(Action::switch_route))
      return refuse(ErrorCode::not_permitted,
                    fmt::format("{} reaches without passing the IOMMU, so that no mapping would limit it: {}; action "
                                "org.p2pd1.switch-route is needed",
                                text, fmt::join(targets, ", ")));
  }
  return function;
}

void Arbiter::on(RequestId id, const Caller& caller, Acquire& command) {
  const auto refused = [&](const Reason& reason) { reply(id, tl::unexpected(reason)); };
  if (!command.backend.empty() && !settings_.backends.contains(command.backend))
    return refused({ErrorCode::not_supported,
                    fmt::format("there is no back end {}: {}", command.backend, fmt::join(settings_.backends, ", "))});
  const auto function = may_acquire(caller, command.initiator);
  if (!function) return refused(function.error());
  const auto held = std::count_if(state_.holdings.begin(), state_.holdings.end(),
                                  [&](const auto& holding) { return holding.second.owner.uid == caller.euid; });
  if (static_cast<std::uint64_t>(held) >= settings_.limits.holdings)
    return refused({ErrorCode::quota_exceeded, fmt::format("uid {} has {} holdings already", caller.euid, held)});

  const auto known_bits = address_bits_of(tables_, kernel_of_entries(machine_->host(), tables_), **function);
  const auto address_bits = command.address_bits != 0 ? command.address_bits : known_bits;
  const HoldingId holding{next_id_++};
  state_.holdings.emplace(holding, Holding{.id = holding,
                                           .owner = owner_from(caller),
                                           .initiator = command.initiator,
                                           .iommu_group = *(*function)->iommu_group,
                                           .address_bits = address_bits,
                                           .backend = {},
                                           .may_bypass = caller.granted.contains(Action::switch_route),
                                           .space = {},
                                           .since = now_});
  opening_.emplace(holding, id);
  effects_.emplace_back(OpenHolding{.holding = holding,
                                    .initiator = command.initiator,
                                    .iommu_group = *(*function)->iommu_group,
                                    .lease = std::move(command.lease),
                                    .backend = std::move(command.backend),
                                    .process = std::move(command.process)});
}

void Arbiter::on(HoldingOpened& event) {
  const auto found = state_.holdings.find(event.holding);
  if (found == state_.holdings.end()) return;
  auto& holding = found->second;
  const auto request = opening_.extract(GrantId{event.holding}).mapped();
  const auto lease_ended = ended_early_.erase(event.holding) != 0;

  if (!event.outcome) {
    reply(request, tl::unexpected(event.outcome.error()));
    const auto node = state_.holdings.extract(found);
    answer_those_who_wait(event.holding);
    return answer_who_took_away(node.mapped(), {});
  }
  const auto* function = machine_->find(holding.initiator);
  if (lease_ended || state_.stopping || function == nullptr || !state_.offers.contains(holding.initiator)) {
    reply(request,
          refuse(ErrorCode::gone, lease_ended ? "the lease ended" : holding.initiator.to_string() + " is no longer lent"));
    return end_holding(holding);
  }
  holding.phase = GrantPhase::active;
  holding.backend = std::move(event.outcome->backend);
  holding.space = IovaSpace(std::move(event.outcome->valid_iovas), forbidden_iovas(*machine_, *function), holding.address_bits);
  announce(event.holding, Announce::What::added);
  note(Journal::What::granted, name_of(event.holding), holding.owner, holding.initiator, "", holding.backend);
  reply(request, ReplyValue{HoldingGranted{event.holding, holding.backend}});
}

void Arbiter::end_holding(Holding& holding) {
  if (holding.phase == GrantPhase::ending) return;
  holding.phase = GrantPhase::ending;
  for (auto& [id, mapping] : state_.mappings)
    if (mapping.holding == holding.id) mapping.phase = GrantPhase::ending;
  effects_.emplace_back(CloseHolding{.holding = holding.id, .keeps_device = holding.must_go_by.has_value()});
  announce(holding.id, Announce::What::changed);
}

void Arbiter::on(const HoldingClosed& event) {
  const auto found = state_.holdings.find(event.holding);
  if (found == state_.holdings.end()) return;
  std::vector<MappingId> with_it;
  for (const auto& [id, mapping] : state_.mappings)
    if (mapping.holding == event.holding) with_it.push_back(id);
  for (const auto mapping : with_it) forget_mapping(mapping);

  if (found->second.must_go_by && !state_.stopping) return clear_out(found->second);
  finish_holding(event.holding, {});
}

}  // namespace p2pd
