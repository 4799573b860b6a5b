// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Resetting a function: first everything that uses it is taken back, because the kernel tells nobody that a BAR was reset
// under a type1 mapping, and a lent device would lose its state under its owner.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arbiter/arbiter.h"

namespace p2pd {

std::vector<GrantId> Arbiter::grants_on(const Address& device) const {
  std::vector<GrantId> grants;
  for (const auto& [id, holding] : state_.holdings)
    if (holding.initiator == device) grants.emplace_back(id);
  for (const auto& [id, mapping] : state_.mappings)
    if (mapping.target && mapping.target->device == device) grants.emplace_back(id);
  return grants;
}

Outcome<void> Arbiter::may_reset(const Address& device) const {
  const auto text = device.to_string();
  const auto* function = machine_->find(device);
  if (function == nullptr) return refuse(ErrorCode::not_found, "there is no function " + text);
  if (function->is_bridge()) return refuse(ErrorCode::blocked, text + " is a bridge [is-bridge]");
  if (!function->virtual_functions.empty())
    return refuse(ErrorCode::blocked, text + " has virtual functions enabled, which would be reset with it [pf-with-vfs]");
  if (const auto quiet = not_resetting(device); !quiet) return quiet;
  if (const auto quiet = no_driver_change_in_group(*function); !quiet) return quiet;
  // Only VFIO's reset takes memory away from those who mapped it; and another driver would not know what came over its device.
  if (function->driver != "vfio-pci")
    return refuse(ErrorCode::blocked,
                  fmt::format("{} is bound to {}, not to vfio-pci: p2p-client bind {} [target-not-on-vfio-pci]", text,
                              function->driver.empty() ? "no driver" : function->driver, text));
  if (!function->iommu_group) return refuse(ErrorCode::blocked, text + " is in no IOMMU group [no-iommu-group]");
  if (const auto open = devices_.find(device); open != devices_.end()) {
    if (open->second.phase == TargetDevice::Phase::open && !open->second.is_unwanted) return {};
    return refuse(ErrorCode::busy, text + " is being opened or closed right now");
  }
  // Its own holding goes first; a sibling's would keep the group.
  for (const auto& [id, holding] : state_.holdings)
    if (holding.initiator == device) return {};
  if (const auto held = group_blocker(*function, nullptr))
    return refuse(ErrorCode::busy, fmt::format("{} is {} [group-held]", held->where, held->observed));
  return {};
}

void Arbiter::on(RequestId id, const Caller& caller, Reset& command) {
  if (const auto allowed = may_reset(command.device); !allowed) return reply(id, error_of(allowed));
  const auto users = grants_on(command.device);
  if (!users.empty() && !command.force) {
    std::vector<std::string> names;
    names.reserve(users.size());
    for (const auto& user : users) names.push_back(name_of(user));
    return reply(id,
                 refuse(ErrorCode::busy, fmt::format("{} is in use by {}", command.device.to_string(), fmt::join(names, ", "))));
  }
  // From here on nobody is given it.
  resetting_.emplace(
      command.device,
      Resetting{.request = id, .owner = owner_from(caller), .iommu_group = *machine_->find(command.device)->iommu_group});
  for (const auto& user : users) revoke(user, RevokeReason::device_reset, command.grace);
}

void Arbiter::reset_what_was_given_back() {
  std::vector<Address> too_late;
  for (auto& [device, reset] : resetting_) {
    if (reset.is_running) continue;
    // What comes into its slot later is another one.
    if (state_.stopping || machine_->find(device) == nullptr) {
      too_late.push_back(device);
      continue;
    }
    if (!grants_on(device).empty()) continue;
    reset.is_running = true;
    effects_.emplace_back(ResetFunction{.device = device, .iommu_group = reset.iommu_group});
  }
  for (const auto& device : too_late)
    on(FunctionReset{device, refuse(ErrorCode::gone, device.to_string() + " went, or p2pd is stopping")});
}

void Arbiter::on(const FunctionReset& event) {
  const auto node = resetting_.extract(event.device);
  if (node.empty()) return;
  const auto& reset = node.mapped();
  if (!event.outcome) return reply(reset.request, error_of(event.outcome));
  note(Journal::What::reset, event.device.to_string(), reset.owner, {}, "", "");
  reply(reset.request, ReplyValue{});
}

Outcome<void> Arbiter::not_resetting(const Address& device) const {
  if (!resetting_.contains(device)) return {};
  return refuse(ErrorCode::busy, device.to_string() + " is being reset right now");
}

}  // namespace p2pd
