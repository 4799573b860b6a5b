// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Offering and withdrawing initiators, binding and unbinding drivers.
#include <fmt/format.h>

#include <algorithm>

#include "arbiter/arbiter.h"
#include "arbiter/terms.h"

namespace p2pd {

// The never-lent list of design §7, as far as it can be seen in the picture.
Outcome<const Function*> Arbiter::lendable(const Address& address, bool trusted_firmware) const {
  const auto* function = machine_->find(address);
  const auto text = address.to_string();
  if (function == nullptr) return refuse(ErrorCode::not_found, "there is no function " + text);
  if (function->is_bridge()) return refuse(ErrorCode::blocked, text + " is a bridge [is-bridge]");
  if (!function->virtual_functions.empty())
    return refuse(ErrorCode::blocked, text + " has virtual functions enabled: who holds it controls them [pf-with-vfs]");
  // vfio-pci gives such a VF only to who shows the PF's token (vfio_pci_core.c, VF token), and its owner trusts the PF's.
  if (function->physical_function) {
    const auto* physical = machine_->find(*function->physical_function);
    if (physical != nullptr && physical->driver == "vfio-pci")
      return refuse(ErrorCode::blocked, fmt::format("{} is a virtual function of {}, which is on vfio-pci [pf-on-vfio-pci]", text,
                                                    physical->address.to_string()));
  }
  for (const auto& region : function->reserved_regions)
    if (region.type == "direct")
      return refuse(ErrorCode::blocked, text + " has a firmware-required memory region (RMRR) [reserved-region-direct]");
  // Unknown is not "off": where extended config space could not be read, or opening it may switch it on.
  if (function->ats_once_lent().value_or(true) && !trusted_firmware)
    return refuse(ErrorCode::blocked, text +
                                          " has ATS enabled, or may have it once it is lent: its firmware can forge translated "
                                          "requests to any address; boot with pci=noats, or with iommu=nopt where its group is "
                                          "of type identity, or offer it as trusted-firmware [ats-enabled]");
  return function;
}

void Arbiter::on(RequestId id, const Caller& caller, Offer& command) {
  const auto function = lendable(command.initiator, command.trusted_firmware);
  if (!function) return reply(id, tl::unexpected(function.error()));
  const auto text = command.initiator.to_string();

  if (const auto known = state_.offers.find(command.initiator); known != state_.offers.end()) {
    const auto& offer = known->second;
    if (offer.group != command.group)
      return reply(id, refuse(ErrorCode::busy, fmt::format("{} is offered already, to {}; withdraw it first", text,
                                                           offer.group.empty() ? "everybody" : "group " + offer.group)));
    if (offer.trusted_firmware != command.trusted_firmware)
      return reply(id, refuse(ErrorCode::busy, fmt::format("{} is offered already, {} trusted firmware; withdraw it first", text,
                                                           offer.trusted_firmware ? "with" : "without")));
    return reply(id, ReplyValue{});
  }
  if (devices_.contains(command.initiator))
    return reply(id, refuse(ErrorCode::busy, text + " has a target enabled: a function is one or the other"));

  state_.offers.emplace(command.initiator, InitiatorOffer{.initiator = command.initiator,
                                                          .group = command.group,
                                                          .gid = command.gid,
                                                          .trusted_firmware = command.trusted_firmware});
  note(Journal::What::offered, text, owner_from(caller), command.initiator, "", command.group);
  announce(command.initiator, Announce::What::changed);
  reply(id, ReplyValue{});
}

void Arbiter::on(RequestId id, const Caller& caller, Withdraw& command) {
  const auto text = command.initiator.to_string();
  if (machine_->find(command.initiator) == nullptr && !state_.offers.contains(command.initiator))
    return reply(id, refuse(ErrorCode::not_found, "there is no function " + text));
  if (!state_.offers.contains(command.initiator)) return reply(id, ReplyValue{});

  const auto held = std::find_if(state_.holdings.begin(), state_.holdings.end(),
                                 [&](const auto& holding) { return holding.second.initiator == command.initiator; });
  if (held != state_.holdings.end() && !command.force)
    return reply(id, refuse(ErrorCode::busy, fmt::format("{} is lent as {}", text, name_of(held->first))));

  state_.offers.erase(command.initiator);
  note(Journal::What::withdrawn, text, owner_from(caller), command.initiator, "", "");
  announce(command.initiator, Announce::What::changed);
  if (held == state_.holdings.end()) return reply(id, ReplyValue{});
  withdrawing_.emplace(held->first, id);
  take_away(held->second, RevokeReason::operator_, command.grace);
}

Outcome<void> Arbiter::no_driver_change_in_group(const Function& function) const {
  for (const auto& [address, change] : changing_driver_) {
    if (address == function.address) return refuse(ErrorCode::busy, address.to_string() + " is changing its driver right now");
    // A group opens only while each of its functions is on vfio-pci or without a driver, so that meanwhile it would be luck.
    if (change.iommu_group && change.iommu_group == function.iommu_group)
      return refuse(ErrorCode::busy, fmt::format("{}, which shares IOMMU group {} with {}, is changing its driver right now",
                                                 address.to_string(), *change.iommu_group, function.address.to_string()));
  }
  return {};
}

Outcome<void> Arbiter::not_in_use(const Address& address) const {
  const auto text = address.to_string();
  const auto is_target = std::any_of(state_.targets.begin(), state_.targets.end(),
                                     [&](const auto& target) { return target.first.device == address; });
  if (is_target || devices_.contains(address)) return refuse(ErrorCode::busy, text + " has a target enabled: disable it first");
  for (const auto& [id, holding] : state_.holdings)
    if (holding.initiator == address) return refuse(ErrorCode::busy, fmt::format("{} is lent as {}", text, name_of(id)));
  return {};
}

// As far as others are concerned; whether p2pd has the function itself open is for not_in_use().
Outcome<void> Arbiter::free_for_driver_change(const Address& address, const std::vector<Address>& together) const {
  const auto text = address.to_string();
  const auto* function = machine_->find(address);
  if (function == nullptr) return refuse(ErrorCode::not_found, "there is no function " + text);
  if (function->is_bridge()) return refuse(ErrorCode::blocked, text + " is a bridge [is-bridge]");
  if (changing_driver_.contains(address)) return refuse(ErrorCode::busy, text + " is changing its driver right now");
  if (const auto quiet = not_resetting(address); !quiet) return quiet;

  // While a group is open, the kernel lets no other driver than a VFIO one have a function of it: unbound, the function
  // would be left without any, and bound to vfio-pci, it would belong to whoever has the group.
  const auto changes_too = [&](const Address& other) {
    return std::find(together.begin(), together.end(), other) != together.end();
  };
  const auto shares_group = [&](const Address& other, std::uint32_t group) {
    return !changes_too(other) && function->iommu_group && *function->iommu_group == group;
  };
  for (const auto& [other, reset] : resetting_)
    if (shares_group(other, reset.iommu_group))
      return refuse(ErrorCode::busy,
                    fmt::format("{} shares an IOMMU group with {}, which is being reset right now", text, other.to_string()));
  for (const auto& [other, device] : devices_)
    if (shares_group(other, device.iommu_group))
      return refuse(ErrorCode::busy,
                    fmt::format("{} shares an IOMMU group with {}, which has a target enabled", text, other.to_string()));
  for (const auto& [id, holding] : state_.holdings) {
    if (shares_group(holding.initiator, holding.iommu_group))
      return refuse(ErrorCode::busy, fmt::format("{} shares an IOMMU group with {}, which is lent as {}", text,
                                                 holding.initiator.to_string(), name_of(id)));
  }
  // A driver would work on what somebody else's device can reach past the IOMMU.
  for (const auto* holding : holdings_reaching(*machine_, state_, address))
    if (!changes_too(holding->initiator))
      return refuse(ErrorCode::busy, fmt::format("{} is within reach of {}", text, name_of(holding->id)));
  return {};
}

Outcome<std::vector<Address>> Arbiter::functions_meant(const Address& device, bool group, bool bound) const {
  const auto text = device.to_string();
  const auto* function = machine_->find(device);
  if (function == nullptr) return refuse(ErrorCode::not_found, "there is no function " + text);
  if (!group) return std::vector<Address>{device};
  if (!function->iommu_group) return refuse(ErrorCode::blocked, text + " is in no IOMMU group [no-iommu-group]");
  std::vector<Address> meant;
  for (const auto& other : machine_->functions()) {
    if (other.iommu_group != function->iommu_group || other.is_bridge()) continue;
    // What is on its way to another driver is not there yet.
    if (changing_driver_.contains(other.address) || (other.driver == "vfio-pci") == bound) meant.push_back(other.address);
  }
  return meant;
}

// From here on nobody gets them any more.
void Arbiter::start_driver_change(RequestId id, const std::vector<Address>& devices, bool waits_for_functions) {
  for (const auto& device : devices)
    changing_driver_.emplace(device, DriverChange{.request = id,
                                                  .iommu_group = machine_->find(device)->iommu_group,
                                                  .devices = devices,
                                                  .waits_for_function = waits_for_functions});
}

void Arbiter::on(RequestId id, const Caller&, BindDriver& command) {
  const auto devices = functions_meant(command.device, command.group, false);
  if (!devices) return reply(id, error_of(devices));
  const auto* function = machine_->find(command.device);
  const auto is_bound = function->driver == "vfio-pci" && !changing_driver_.contains(command.device);
  if (devices->empty() || (!command.group && is_bound)) return reply(id, ReplyValue{});
  for (const auto& device : *devices) {
    if (const auto free = free_for_driver_change(device, *devices); !free) return reply(id, error_of(free));
    if (const auto unused = not_in_use(device); !unused) return reply(id, error_of(unused));
  }
  start_driver_change(id, *devices, false);
  effects_.emplace_back(BindToVfio{.request = id, .devices = *devices, .force = command.force});
}

void Arbiter::on(RequestId id, const Caller& caller, UnbindDriver& command) {
  const auto devices = functions_meant(command.device, command.group, true);
  if (!devices) return reply(id, error_of(devices));
  if (devices->empty()) return reply(id, ReplyValue{});
  for (const auto& device : *devices) {
    if (const auto free = free_for_driver_change(device, *devices); !free) return reply(id, error_of(free));
    if (command.force) continue;
    if (const auto unused = not_in_use(device); !unused) return reply(id, error_of(unused));
  }
  start_driver_change(id, *devices, command.force);
  if (!command.force) {
    effects_.emplace_back(UnbindFromVfio{.request = id, .devices = *devices, .force = false});
    return;
  }
  for (const auto& device : *devices) give_back(device, owner_from(caller));
}

// Targets, offer and holding of the function; what is still being opened goes as soon as it is open.
void Arbiter::give_back(const Address& address, const Owner& asker) {
  for (const auto& [name, target] : state_.targets)
    if (name.device == address) note(Journal::What::disabled, name.to_string(), asker, {}, name.to_string(), "unbind by force");
  drop_targets_of(address, RevokeReason::device_wanted);
  drop_pools_of(address, RevokeReason::device_wanted);
  if (state_.offers.erase(address) != 0) {
    note(Journal::What::withdrawn, address.to_string(), asker, address, "", "unbind by force");
    announce(address, Announce::What::changed);
  }
  take_away_all_of(address, "unbind by force");
}

void Arbiter::unbind_what_was_given_back() {
  if (state_.stopping) return;
  for (const auto& [address, change] : changing_driver_) {
    const auto is_free = [&](const Address& device) { return not_in_use(device).has_value(); };
    if (!change.waits_for_function || !std::all_of(change.devices.begin(), change.devices.end(), is_free)) continue;
    effects_.emplace_back(UnbindFromVfio{.request = change.request, .devices = change.devices, .force = true});
    for (const auto& device : change.devices) changing_driver_.at(device).waits_for_function = false;
  }
}

void Arbiter::on(DriverChanged& event) {
  std::size_t known = 0;
  for (const auto& device : event.devices) known += changing_driver_.erase(device);
  if (known == 0) return;  // answered when p2pd left
  if (event.outcome) return reply(event.request, ReplyValue{});
  reply(event.request, tl::unexpected(event.outcome.error()));
}

}  // namespace p2pd
