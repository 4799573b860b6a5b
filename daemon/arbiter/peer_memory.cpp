// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory that kernel drivers registered with p2pdma, lent as the kernel's own descriptor of the whole pool. Nothing takes back
// the descriptor, nor what was mapped by it, but the unbinding of that driver. So whoever was lent a pool counts as having it
// until then: it is lent to one grant at a time, and to no other user any more.
#include <fmt/format.h>

#include "arbiter/arbiter.h"
#include "arbiter/terms.h"

namespace p2pd {

// Which BAR the pool is in, no file of sysfs says: one that is too small for it is a mistake.
void Arbiter::enable_pool(RequestId id, const Caller& caller, const Enable& command, const TargetName& name) {
  const auto refused = [&](ErrorCode code, std::string text) { reply(id, refuse(code, std::move(text))); };
  const auto& function = *machine_->find(name.device);
  const auto& memory = *function.peer_memory;
  const auto whole = function.find_bar(name.bar)->size;
  const auto text = name.to_string();
  if (!memory.pool)
    return refused(
        ErrorCode::not_supported,
        fmt::format("{}: this kernel lends the memory of driver {} to no program, Linux 6.2 would", text, function.driver));
  if (memory.size > whole)
    return refused(ErrorCode::invalid_argument,
                   fmt::format("{} has {} bytes, but what driver {} registered has {}: it is in another BAR", text, whole.value,
                               function.driver, memory.size.value));
  if (name.length != whole)
    return refused(
        ErrorCode::invalid_argument,
        fmt::format("{}: the memory of driver {} is lent whole: enable the BAR without a range", text, function.driver));
  if (!command.exclusive || command.access.value_or(Access::read_write) != Access::read_write)
    return refused(ErrorCode::not_supported,
                   fmt::format("{}: the memory of driver {} is lent to one at a time, to read and write", text, function.driver));
  for (const auto& [other, target] : state_.targets)
    if (other.device == name.device)
      return refused(ErrorCode::busy,
                     fmt::format("the memory of driver {} is enabled as {}", function.driver, other.to_string()));

  state_.targets.emplace(name,
                         Target{.name = name, .access = command.access, .phase = Target::Phase::enabled, .pool = memory.pool});
  reply(id, ReplyValue{});
  announce(name.device, Announce::What::changed);
  note(Journal::What::enabled, text, owner_from(caller), {}, text, "peer memory of driver " + function.driver);
}

Outcome<const Target*> Arbiter::free_pool(const Caller& caller, const TargetName& name, Bytes length) const {
  auto target = enabled_target(state_, *machine_, name);
  if (!target) return target;
  const auto device = name.device.to_string();
  if (!(*target)->pool)
    return refuse(ErrorCode::not_supported,
                  fmt::format("{} is on vfio-pci: no kernel driver has registered memory of it", device));
  if ((*target)->name != name)
    return refuse(ErrorCode::invalid_argument,
                  fmt::format("{} is lent whole: name it without a range", (*target)->name.to_string()));
  const auto& function = *machine_->find(name.device);
  const auto& memory = *function.peer_memory;
  if (length > memory.size)
    return refuse(ErrorCode::invalid_argument,
                  fmt::format("driver {} of {} registered {} bytes", function.driver, device, memory.size.value));
  if (const auto quiet = no_driver_change_in_group(function); !quiet) return error_of(quiet);
  if (const auto users = mappings_of(name); !users.empty())
    return refuse(ErrorCode::busy, fmt::format("{} is exclusive and in use by {}", name.to_string(), name_of(users.front())));
  const auto pool = *(*target)->pool;
  const auto lent = state_.lent_pools.find(name.device);
  const bool was_lent = lent != state_.lent_pools.end() && lent->second.pool.value_or(pool) == pool;
  if (was_lent && lent->second.uid != caller.euid)
    return refuse(ErrorCode::busy,
                  fmt::format("the memory of {} was lent to another user, who may have it still: unbind driver {} "
                              "from it and bind it again, then enable it anew",
                              device, function.driver));
  if (const auto apart = not_reached_by_others(owner_from(caller), name); !apart) return error_of(apart);
  return target;
}

void Arbiter::on(RequestId id, const Caller& caller, AllocatePeerMemory& command) {
  const auto refused = [&](const Reason& reason) { reply(id, tl::unexpected(reason)); };
  const auto name = resolved(*machine_, command.target);
  if (!name) return refused(name.error());
  const auto target = free_pool(caller, *name, command.length);
  if (!target) return refused(target.error());
  if (const auto fits = within_mapping_quota(caller, Bytes{0}); !fits) return refused(fits.error());

  auto& mapping = new_mapping(id, caller, std::nullopt, {Iova{0}, command.length}, Access::read_write);
  mapping.target = *name;
  mapping.has_own_lease = true;
  mapping.pool = (*target)->pool;
  effects_.emplace_back(LendPeerMemory{.mapping = mapping.id,
                                       .device = name->device,
                                       .pool = *mapping.pool,
                                       .length = command.length,
                                       .uid = caller.euid,
                                       .lease = std::move(command.lease)});
}

void Arbiter::remember_who_has(const Mapping& mapping) {
  state_.lent_pools.insert_or_assign(mapping.target->device, LentPool{mapping.pool, mapping.owner.uid});
}

void Arbiter::drop_pools_of(const Address& device, RevokeReason reason) {
  std::vector<TargetName> names;
  for (auto& [name, target] : state_.targets) {
    if (name.device != device || !target.pool) continue;
    target.phase = Target::Phase::disabling;
    names.push_back(name);
  }
  for (const auto& name : names) {
    for (const auto user : mappings_of(name)) revoke(user, reason, std::chrono::milliseconds{0});
    finish_disable(name);
  }
}

void Arbiter::drop_all_pools(RevokeReason reason) {
  std::vector<Address> devices;
  for (const auto& [name, target] : state_.targets)
    if (target.pool) devices.push_back(name.device);
  for (const auto& device : devices) drop_pools_of(device, reason);
}

// The driver was unbound: what it had registered ended with it, whatever it has registered since.
void Arbiter::drop_lost_pools() {
  std::map<Address, RevokeReason> lost;
  for (const auto& [name, target] : state_.targets) {
    if (!target.pool || target.phase != Target::Phase::enabled) continue;
    const auto* function = machine_->find(name.device);
    if (function != nullptr && function->peer_memory && function->peer_memory->pool == target.pool) continue;
    const auto reason = function == nullptr ? RevokeReason::device_gone : RevokeReason::device_wanted;
    lost.emplace(name.device, reason);
    note(Journal::What::disabled, name.to_string(), {}, {}, name.to_string(), to_string(reason));
  }
  for (const auto& [device, reason] : lost) drop_pools_of(device, reason);
}

}  // namespace p2pd
