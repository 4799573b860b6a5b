// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a new picture of the machine takes away: grants from devices that went, and grants that were safe when they were
// made. Isolation is judged when a function is lent, but drivers can be bound by hand, ports be given other ACS bits and
// devices be plugged in later.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arbiter/arbiter.h"
#include "arbiter/terms.h"

namespace p2pd {

void Arbiter::on(const MachineChanged& event) {
  machine_ = event.machine;
  drop_lost_target_devices();
  drop_lost_pools();
  for (auto& [id, holding] : state_.holdings) {
    if (const auto* initiator = machine_->find(holding.initiator); initiator != nullptr)
      holding.space.forbid(forbidden_iovas(*machine_, *initiator));
    else
      revoke(id, RevokeReason::device_gone, std::chrono::milliseconds{0});
  }
  revoke_what_is_no_longer_safe();
  // An offer is for this device, not for whatever comes into its slot.
  std::erase_if(state_.offers, [&](const auto& offer) { return machine_->find(offer.first) == nullptr; });
}

void Arbiter::drop_lost_target_devices() {
  std::vector<Address> open;
  open.reserve(devices_.size());
  for (const auto& [address, device] : devices_) open.push_back(address);
  for (const auto& address : open) {
    const auto* function = machine_->find(address);
    if (function != nullptr && function->driver == "vfio-pci") continue;
    lose_targets_of(address, function == nullptr ? RevokeReason::device_gone : RevokeReason::device_wanted);
  }
}

void Arbiter::revoke_what_is_no_longer_safe() {
  for (const auto& [id, holding] : state_.holdings) {
    // Its link goes first: whoever takes the driver away waits for the client now.
    if (const auto* initiator = machine_->find(holding.initiator); initiator != nullptr && initiator->driver.empty())
      take_away_all_of(holding.initiator, being_removed);
    if (const auto why = why_not_safe(holding); !why.empty()) revoke_for(id, why);
  }
  for (const auto& [id, mapping] : state_.mappings)
    if (const auto why = why_not_safe(mapping); !why.empty()) revoke_for(id, why);
}

// "" = as safe as it was.
std::string Arbiter::why_not_safe(const Holding& holding) const {
  const auto* initiator = machine_->find(holding.initiator);
  if (initiator == nullptr) return "";
  if (!initiator->driver.empty() && initiator->driver != "vfio-pci")
    return fmt::format("{} is not on vfio-pci any more [initiator-not-on-vfio-pci]", holding.initiator.to_string());
  if (holding.owner.uid == 0) return "";
  auto names = driven_in_reach(*machine_, *initiator);
  const auto mapped = mapped_by_others_in_reach(*machine_, state_, *initiator, holding.owner.uid);
  names.insert(names.end(), mapped.begin(), mapped.end());
  const auto lent = lent_to_others_in_reach(*machine_, state_, *initiator, holding.owner.uid);
  names.insert(names.end(), lent.begin(), lent.end());
  if (!holding.may_bypass) {
    const auto targets = targets_in_reach(*machine_, state_, *initiator);
    names.insert(names.end(), targets.begin(), targets.end());
  }
  if (names.empty()) return "";
  return fmt::format("{} reaches without passing the IOMMU: {} [reach-not-owned]", holding.initiator.to_string(),
                     fmt::join(names, ", "));
}

std::string Arbiter::why_not_safe(const Mapping& mapping) const {
  // Whoever imported it has cookies of their own.
  if (!mapping.holding) return "";
  // Where the switch routes directly, the cookie is where the BAR is; elsewhere it is where nobody on the bus answers.
  if (mapping.route == Route::switched) {
    if (mapping.target && machine_->find(mapping.target->device) != nullptr &&
        bus_range(*machine_, *mapping.target) != mapping.iova)
      return fmt::format("{} has moved away from the cookie", mapping.target->to_string());
    return "";
  }
  const auto* window = state_.holdings.at(*mapping.holding).space.forbidden_in(mapping.iova);
  if (window == nullptr) return "";
  return fmt::format("the cookie {:#x} lies within {:#x}+{:#x} now, a bridge window, a BAR or a reserved region",
                     mapping.iova.begin.value, window->begin.value, window->length.value);
}

void Arbiter::revoke_for(GrantId grant, const std::string& why) {
  if (is_ending(grant) || ended_early_.contains(grant)) return;
  note(Journal::What::revoked, name_of(grant), **owner_of(grant), {}, "", why);
  revoke(grant, RevokeReason::device_wanted, std::chrono::milliseconds{0});
}

}  // namespace p2pd
