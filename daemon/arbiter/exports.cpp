// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Targets as dma-bufs, for whoever imports them. The kernel takes one back for good only with the whole function (its last
// close): so nothing else of the function may be in use meanwhile, and at the end it is closed and opened again.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arbiter/arbiter.h"
#include "arbiter/terms.h"

namespace p2pd {

void Arbiter::on(RequestId id, const Caller& caller, ExportDmaBuf& command) {
  const auto refused = [&](const Reason& reason) { reply(id, tl::unexpected(reason)); };
  const auto name = resolved(*machine_, command.target);
  if (!name) return refused(name.error());
  // A dma-buf has no direction: its importer reads and writes.
  if (const auto usable = usable_target(owner_from(caller), std::nullopt, *name, Access::read_write); !usable)
    return refused(usable.error());
  if (const auto users = grants_on(name->device); !users.empty()) {
    std::vector<std::string> names;
    names.reserve(users.size());
    for (const auto& user : users) names.push_back(name_of(user));
    return refused({ErrorCode::busy, fmt::format("{} is in use by {}, and a dma-buf ends with its whole function only",
                                                 name->device.to_string(), fmt::join(names, ", "))});
  }
  if (const auto fits = within_mapping_quota(caller, Bytes{0}); !fits) return refused(fits.error());

  auto& mapping = new_mapping(id, caller, std::nullopt, {Iova{0}, name->length}, Access::read_write);
  mapping.target = *name;
  mapping.has_own_lease = true;
  effects_.emplace_back(ExportBar{.mapping = mapping.id,
                                  .target = name->device,
                                  .bar = name->bar,
                                  .offset = name->offset,
                                  .length = name->length,
                                  .lease = std::move(command.lease)});
}

void Arbiter::end_export(const Mapping& mapping) {
  devices_.at(mapping.target->device).phase = TargetDevice::Phase::closing;
  effects_.emplace_back(EndExport{.mapping = mapping.id, .device = mapping.target->device});
}

// Its targets are as they were; clients have to wait until it is open.
bool Arbiter::open_again(const Address& device) {
  const auto found = devices_.find(device);
  const auto is_enabled = std::any_of(state_.targets.begin(), state_.targets.end(), [&](const auto& target) {
    return target.first.device == device && target.second.phase == Target::Phase::enabled;
  });
  if (found == devices_.end() || !is_enabled || found->second.is_unwanted || state_.stopping) return false;
  found->second.phase = TargetDevice::Phase::opening;
  effects_.emplace_back(OpenTarget{.device = device, .iommu_group = found->second.iommu_group});
  return true;
}

void Arbiter::lose_targets_that_did_not_open(const Address& device, const Reason& reason) {
  std::vector<TargetName> lost;
  for (const auto& [name, target] : state_.targets)
    if (name.device == device) lost.push_back(name);
  for (const auto& name : lost) {
    note(Journal::What::disabled, name.to_string(), {}, {}, name.to_string(), reason.text);
    finish_disable(name);
  }
}

}  // namespace p2pd
