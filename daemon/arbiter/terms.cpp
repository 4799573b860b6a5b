// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arbiter/terms.h"

#include <fmt/format.h>

#include <algorithm>

#include "topology/topology.h"

namespace p2pd {

Outcome<TargetName> resolved(const Machine& machine, const TargetName& name) {
  const auto* function = machine.find(name.device);
  if (function == nullptr) return refuse(ErrorCode::not_found, fmt::format("there is no function {}", name.device.to_string()));
  const auto* bar = function->find_bar(name.bar);
  if (bar == nullptr) return refuse(ErrorCode::not_found, fmt::format("{} has no BAR {}", name.device.to_string(), name.bar));
  const auto bar_name = fmt::format("BAR {} of {}", name.bar, name.device.to_string());
  if (!bar->is_memory) return refuse(ErrorCode::blocked, bar_name + " is I/O, not memory [not-memory-bar]");
  if (!bar->is_assigned) return refuse(ErrorCode::blocked, bar_name + " has no address assigned [bar-unassigned]");

  if (name.offset >= bar->size)
    return refuse(ErrorCode::invalid_argument, fmt::format("{} ends at {:#x}", bar_name, bar->size.value));
  auto whole = name;
  if (whole.length.value == 0) whole.length = Bytes{bar->size.value - whole.offset.value};
  // No sum of foreign numbers: offset < size was checked, so the difference does not wrap.
  if (whole.length.value > bar->size.value - whole.offset.value)
    return refuse(ErrorCode::invalid_argument, fmt::format("{} ends at {:#x}", bar_name, bar->size.value));
  if (!is_page_aligned(whole.offset.value) || !is_page_aligned(whole.length.value))
    return refuse(ErrorCode::invalid_argument,
                  fmt::format("{}: offset and length must be multiples of {}", bar_name, page_size.value));
  return whole;
}

bool holds_msix(const Function& function, const TargetName& name) {
  if (!function.msix) return function.has_unread_capabilities;
  const auto& msix = *function.msix;
  const auto pages = [](Bytes offset, Bytes length) {
    const auto begin = offset.value / page_size.value * page_size.value;
    const auto end = (offset.value + length.value + page_size.value - 1) / page_size.value * page_size.value;
    return Range<Iova>{Iova{begin}, Bytes{end - begin}};
  };
  return (msix.table_bar == name.bar && span_of(name).overlaps(pages(msix.table_offset, msix.table_length))) ||
         (msix.pba_bar == name.bar && span_of(name).overlaps(pages(msix.pba_offset, msix.pba_length)));
}

std::optional<Range<Iova>> bus_range(const Machine& machine, const TargetName& name) {
  const auto* bar = machine.find(name.device)->find_bar(name.bar);
  if (bar == nullptr || !bar->bus_address) return std::nullopt;
  return make_range(Iova{bar->bus_address->value + name.offset.value}, name.length);
}

bool is_driven(const Function& function) {
  return !function.is_bridge() && !function.driver.empty() && function.driver != "vfio-pci";
}

std::vector<std::string> driven_in_reach(const Machine& machine, const Function& initiator) {
  std::vector<std::string> names;
  for (const auto& address : reach_set(machine, initiator).functions)
    if (const auto* function = machine.find(address); function != nullptr && is_driven(*function))
      names.push_back(fmt::format("{} with driver {}", address.to_string(), function->driver));
  return names;
}

std::vector<std::string> targets_in_reach(const Machine& machine, const State& state, const Function& initiator) {
  std::vector<std::string> names;
  if (state.targets.empty()) return names;
  const auto reach = reach_set(machine, initiator).functions;
  for (const auto& [name, target] : state.targets)
    if (std::binary_search(reach.begin(), reach.end(), name.device)) names.push_back(name.to_string());
  return names;
}

std::vector<const Holding*> holdings_reaching(const Machine& machine, const State& state, const Address& function) {
  std::vector<const Holding*> found;
  for (const auto& [id, holding] : state.holdings) {
    const auto* initiator = machine.find(holding.initiator);
    if (holding.owner.uid == 0 || initiator == nullptr) continue;
    const auto reach = reach_set(machine, *initiator).functions;
    if (std::binary_search(reach.begin(), reach.end(), function)) found.push_back(&holding);
  }
  return found;
}

std::vector<std::string> lent_to_others_in_reach(const Machine& machine, const State& state, const Function& initiator,
                                                 uid_t uid) {
  std::vector<std::string> names;
  const auto reach = reach_set(machine, initiator).functions;
  for (const auto& [id, holding] : state.holdings)
    if (holding.owner.uid != uid && std::binary_search(reach.begin(), reach.end(), holding.initiator))
      names.push_back(holding.initiator.to_string() + ", which is lent to another user");
  return names;
}

std::vector<std::string> mapped_by_others_in_reach(const Machine& machine, const State& state, const Function& initiator,
                                                   uid_t uid) {
  std::vector<std::string> names;
  const auto reach = reach_set(machine, initiator).functions;
  for (const auto& [id, mapping] : state.mappings)
    if (mapping.target && mapping.owner.uid != uid && std::binary_search(reach.begin(), reach.end(), mapping.target->device))
      names.push_back(mapping.target->to_string() + ", which another user has mapped");
  return names;
}

Outcome<const Target*> enabled_target(const State& state, const Machine& machine, const TargetName& name) {
  const auto wanted = resolved(machine, name);
  if (!wanted) return tl::unexpected(wanted.error());
  for (const auto& [key, target] : state.targets) {
    if (key.device == wanted->device && key.bar == wanted->bar && target.phase == Target::Phase::enabled &&
        span_of(key).contains(span_of(*wanted)))
      return &target;
  }
  return refuse(ErrorCode::not_enabled, fmt::format("{} is not enabled as a target", wanted->to_string()));
}

}  // namespace p2pd
