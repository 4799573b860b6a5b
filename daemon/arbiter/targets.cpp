// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Enabling and disabling targets. A target's function is opened with its first target and closed with its last.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arbiter/arbiter.h"
#include "arbiter/terms.h"

namespace p2pd {

namespace {

// The target as it was enabled. Nothing when no byte of it is; a part of one, or one and more, is not what was enabled.
Outcome<std::optional<TargetName>> exact_target(const State& state, const Machine& machine, const TargetName& asked) {
  const auto name = resolved(machine, asked);
  if (!name) return error_of(name);
  if (state.targets.contains(*name)) return *name;
  for (const auto& [other, target] : state.targets)
    if (other.device == name->device && other.bar == name->bar && span_of(other).overlaps(span_of(*name)))
      return refuse(ErrorCode::invalid_argument,
                    fmt::format("{} is enabled as {}: disable that", name->to_string(), other.to_string()));
  return std::nullopt;
}

Outcome<void> same_terms(const Target& target, const Enable& command) {
  if (target.exclusive != command.exclusive)
    return refuse(ErrorCode::busy, fmt::format("{} is enabled already, but {}; disable it first", target.name.to_string(),
                                               target.exclusive ? "exclusive" : "shared"));
  if (target.access != command.access)
    return refuse(ErrorCode::busy, fmt::format("{} is enabled already, but for access {}; disable it first",
                                               target.name.to_string(), target.access ? to_string(*target.access) : "as asked"));
  return {};
}

}  // namespace

void Arbiter::on(RequestId id, const Caller& caller, Enable& command) {
  const auto name = resolved(*machine_, command.target);
  if (!name) return reply(id, tl::unexpected(name.error()));
  const auto& function = *machine_->find(name->device);
  const auto text = name->to_string();

  if (const auto known = state_.targets.find(*name); known != state_.targets.end()) {
    if (known->second.phase != Target::Phase::enabled)
      return reply(id, refuse(ErrorCode::busy, text + " is being enabled or disabled right now"));
    if (const auto same = same_terms(known->second, command); !same) return reply(id, tl::unexpected(same.error()));
    return reply(id, ReplyValue{});
  }
  for (const auto& [other, target] : state_.targets)
    if (other.device == name->device && other.bar == name->bar && span_of(other).overlaps(span_of(*name)))
      return reply(id, refuse(ErrorCode::busy, fmt::format("{} overlaps the target {}", text, other.to_string())));

  // What a driver registered has no such pages in it.
  const bool is_pool = function.driver != "vfio-pci" && function.peer_memory;
  if (!is_pool && holds_msix(function, *name) && !command.force)
    return reply(id, refuse(ErrorCode::blocked,
                            text + " holds the MSI-X table or pending bits: enable a range without them [holds-msix]"));
  // Not read is not "has none".
  if (!is_pool && function.port_type == PortType::unknown && !command.force)
    return reply(id, refuse(ErrorCode::blocked, text + ": where its MSI-X table is could not be read [config-unreadable]"));
  if (function.is_bridge()) return reply(id, refuse(ErrorCode::blocked, text + " belongs to a bridge [is-bridge]"));
  if (state_.offers.contains(name->device))
    return reply(
        id, refuse(ErrorCode::busy, name->device.to_string() + " is offered as an initiator: a function is one or the other"));
  if (const auto quiet = no_driver_change_in_group(function); !quiet) return reply(id, error_of(quiet));
  if (const auto quiet = not_resetting(name->device); !quiet) return reply(id, error_of(quiet));
  // Whoever was lent such an initiator, and not with the target in view, would need no grant for it.
  for (const auto* holding : holdings_reaching(*machine_, state_, name->device))
    if (!holding->may_bypass)
      return reply(
          id, refuse(ErrorCode::blocked, fmt::format("{} is within reach of {}, past the IOMMU, which was lent without action "
                                                     "org.p2pd1.switch-route: revoke it first [reach-not-owned]",
                                                     text, name_of(holding->id))));
  if (is_pool) return enable_pool(id, caller, command, *name);
  if (function.driver != "vfio-pci")
    return reply(id, refuse(ErrorCode::blocked,
                            fmt::format("{} is bound to {}, not to vfio-pci: p2p-client bind {} [target-not-on-vfio-pci]",
                                        name->device.to_string(), function.driver.empty() ? "no driver" : function.driver,
                                        name->device.to_string())));
  if (!function.iommu_group)
    return reply(id, refuse(ErrorCode::blocked, name->device.to_string() + " is in no IOMMU group [no-iommu-group]"));

  const auto device = devices_.find(name->device);
  if (device != devices_.end() && (device->second.phase == TargetDevice::Phase::closing || device->second.is_unwanted))
    return reply(id, refuse(ErrorCode::busy, name->device.to_string() + " is being closed right now"));
  if (device == devices_.end()) {
    if (const auto held = group_blocker(function, nullptr))
      return reply(id, refuse(ErrorCode::busy, fmt::format("{} is {}", held->where, held->observed)));
  }

  state_.targets.emplace(
      *name, Target{.name = *name, .exclusive = command.exclusive, .access = command.access, .is_forced = command.force});
  if (device != devices_.end() && device->second.phase == TargetDevice::Phase::open) {
    state_.targets.at(*name).phase = Target::Phase::enabled;
    reply(id, ReplyValue{});
    announce(name->device, Announce::What::changed);
    note(Journal::What::enabled, text, owner_from(caller), {}, text, command.exclusive ? "exclusive" : "shared");
  } else {
    enabling_.emplace(*name, Enabling{id, owner_from(caller)});
    if (device == devices_.end()) {
      devices_.emplace(name->device, TargetDevice{.iommu_group = *function.iommu_group});
      effects_.emplace_back(OpenTarget{.device = name->device, .iommu_group = *function.iommu_group});
    }
  }
}

void Arbiter::on(TargetOpened& event) {
  const auto device = devices_.find(event.device);
  if (device == devices_.end()) return;
  device->second.phase = TargetDevice::Phase::open;
  const bool is_open = event.outcome.has_value();
  if (is_open && device->second.is_unwanted)
    event.outcome = refuse(ErrorCode::gone, event.device.to_string() + " went, or was taken back, while it was being opened");

  std::erase_if(enabling_, [&](const auto& waiting) {
    const auto& [name, enabling] = waiting;
    if (name.device != event.device) return false;
    const auto text = name.to_string();
    if (event.outcome) {
      auto& target = state_.targets.at(name);
      target.phase = Target::Phase::enabled;
      note(Journal::What::enabled, text, enabling.owner, {}, text, target.exclusive ? "exclusive" : "shared");
      reply(enabling.request, ReplyValue{});
    } else {
      state_.targets.erase(name);
      reply(enabling.request, tl::unexpected(event.outcome.error()));
    }
    return true;
  });
  if (!is_open) devices_.erase(device);
  // None is left but where it was opened again.
  if (!event.outcome) lose_targets_that_did_not_open(event.device, event.outcome.error());
  if (!is_open) answer_those_who_closed(event.device);
  announce(event.device, Announce::What::changed);
  if (is_open) close_device_if_unused(event.device);
}

void Arbiter::on(RequestId id, const Caller& caller, Disable& command) {
  const auto found = exact_target(state_, *machine_, command.target);
  if (!found) return reply(id, error_of(found));
  const auto& name = *found;
  if (!name) return reply(id, ReplyValue{});
  auto& target = state_.targets.at(*name);
  if (target.phase == Target::Phase::opening)
    return reply(id, refuse(ErrorCode::busy, name->to_string() + " is being enabled right now"));

  const auto users = mappings_of(*name);
  if (!users.empty() && !command.force) {
    std::vector<std::string> names;
    names.reserve(users.size());
    for (const auto user : users) names.push_back(name_of(user));
    return reply(id, refuse(ErrorCode::busy, fmt::format("{} is in use by {}", name->to_string(), fmt::join(names, ", "))));
  }
  note(Journal::What::disabled, name->to_string(), owner_from(caller), {}, name->to_string(), "");
  target.phase = Target::Phase::disabling;
  disabling_.emplace(*name, id);
  for (const auto user : users) revoke(user, RevokeReason::disabled, command.grace);
  if (users.empty()) finish_disable(*name);
  announce(name->device, Announce::What::changed);
}

// The last mapping is gone: so is the target, and with the last target of its function the function is closed. Who asked
// is answered when nothing of it is left open.
void Arbiter::finish_disable(const TargetName& name) {
  if (!mappings_of(name).empty()) return;
  const auto [first, last] = disabling_.equal_range(name);
  for (auto waiting = first; waiting != last; ++waiting) closing_.emplace(name.device, waiting->second);
  disabling_.erase(first, last);
  state_.targets.erase(name);
  announce(name.device, Announce::What::changed);
  close_device_if_unused(name.device);
}

void Arbiter::close_device_if_unused(const Address& device) {
  const auto found = devices_.find(device);
  if (found == devices_.end()) return answer_those_who_closed(device);
  const auto is_used = std::any_of(state_.targets.begin(), state_.targets.end(),
                                   [&](const auto& target) { return target.first.device == device; });
  if (!is_used && found->second.phase == TargetDevice::Phase::open) {
    found->second.phase = TargetDevice::Phase::closing;
    effects_.emplace_back(CloseTarget{device});
  }
  if (!is_used) return;
  // Other targets keep the function open: those who disabled theirs need not wait.
  answer_those_who_closed(device);
}

void Arbiter::on(const TargetClosed& event) {
  if (open_again(event.device)) return;
  devices_.erase(event.device);
  answer_those_who_closed(event.device);
}

void Arbiter::answer_those_who_closed(const Address& device) {
  const auto [first, last] = closing_.equal_range(device);
  for (auto waiting = first; waiting != last; ++waiting) reply(waiting->second, ReplyValue{});
  closing_.erase(first, last);
}

void Arbiter::drop_targets_of(const Address& device, RevokeReason reason) {
  const auto found = devices_.find(device);
  if (found == devices_.end()) return;
  found->second.is_unwanted = true;
  // Who asked for it is answered, and it is closed, when the kernel is done with the opening.
  if (found->second.phase == TargetDevice::Phase::opening) return;
  std::vector<TargetName> names;
  for (auto& [name, target] : state_.targets) {
    if (name.device != device) continue;
    target.phase = Target::Phase::disabling;
    names.push_back(name);
  }
  for (const auto& name : names) {
    for (const auto user : mappings_of(name)) revoke(user, reason, std::chrono::milliseconds{0});
    finish_disable(name);
  }
}

void Arbiter::lose_targets_of(const Address& device, RevokeReason reason) {
  for (const auto& [name, target] : state_.targets)
    if (name.device == device && target.phase == Target::Phase::enabled)
      note(Journal::What::disabled, name.to_string(), {}, {}, name.to_string(), to_string(reason));
  drop_targets_of(device, reason);
}

std::vector<MappingId> Arbiter::mappings_of(const TargetName& name) const {
  std::vector<MappingId> users;
  for (const auto& [id, mapping] : state_.mappings)
    if (mapping.target && mapping.target->device == name.device && mapping.target->bar == name.bar &&
        span_of(*mapping.target).overlaps(span_of(name)))
      users.push_back(id);
  return users;
}

}  // namespace p2pd
