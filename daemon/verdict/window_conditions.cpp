// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory requests go by address: whether the bridges above a BAR send its address there, and nobody else takes it.
#include <fmt/format.h>

#include <algorithm>

#include "topology/topology.h"
#include "verdict/codes.h"
#include "verdict/conditions.h"

namespace p2pd {

namespace {

constexpr std::uint32_t pci_bridge = 0x060400;
constexpr std::uint32_t subtractive_bridge = 0x060401;  // takes what nobody else does, besides its windows

bool any_window(const Function& bridge, const auto& is) {
  return bridge.bridge && ((bridge.bridge->memory && is(*bridge.bridge->memory)) ||
                           (bridge.bridge->prefetchable && is(*bridge.bridge->prefetchable)));
}

std::string words(const std::optional<Range<BusAddress>>& window) {
  return window ? fmt::format("{:#x}+{:#x}", window->begin.value, window->length.value) : "none";
}

Finding tell(const TargetName& name, const Range<BusAddress>& range, const Function& where, std::string what) {
  return {.where = fmt::format("{}, {}", where.address.to_string(), name.to_string()),
          .observed = fmt::format("the range is at bus address {:#x}+{:#x}, and {} {}", range.begin.value, range.length.value,
                                  where.address.to_string(), what),
          .needed = "an address that every bridge above sends there, and that nobody else takes",
          .remedy = "pci=realloc",
          .isolation = ""};
}

}  // namespace

Bytes length_of(const Bar& bar, const TargetName& name) {
  const auto rest = bar.size.value - std::min(bar.size.value, name.offset.value);
  return Bytes{std::max<std::uint64_t>(name.length.value != 0 ? name.length.value : rest, 1)};
}

std::optional<Range<BusAddress>> bus_range_of(const Bar& bar, const TargetName& name) {
  if (!bar.is_memory || !bar.is_assigned || !bar.bus_address) return std::nullopt;
  return make_range(BusAddress{bar.bus_address->value + name.offset.value}, length_of(bar, name));
}

bool forwards_down(const Function& bridge, const Range<BusAddress>& range) {
  return any_window(bridge, [&](const Range<BusAddress>& window) { return window.overlaps(range); });
}

bool takes(const Function& function, const Range<BusAddress>& range) {
  if (!function.memory_decode.value_or(true)) return false;  // a register that is left over
  return any_window(function, [&](const Range<BusAddress>& window) { return window.overlaps(range); }) ||
         std::any_of(function.bars.begin(), function.bars.end(), [&](const Bar& bar) {
           const auto taken = bar.is_memory && bar.bus_address ? make_range(*bar.bus_address, bar.size) : std::nullopt;
           return taken && taken->overlaps(range);
         });
}

Finding tell_taken(const TargetName& name, const Range<BusAddress>& range, const Function& by) {
  return tell(name, range, by, "answers to that too");
}

void judge_windows(const Machine& machine, const Function& target, const TargetName& name, std::vector<Blocker>& blockers) {
  // What bridges of a virtual machine say is made up.
  if (machine.host().virtualization != "none") return;
  const auto* bar = target.find_bar(name.bar);
  const auto range = bar != nullptr ? bus_range_of(*bar, name) : std::nullopt;
  // Beyond the BAR's end is a finding of its own.
  if (!range || (bar->size.value != 0 && range->last() - bar->bus_address->value >= bar->size.value)) return;
  const auto way = way_up(machine, target);
  for (std::size_t i = 1; i < way.size(); ++i) {
    const auto& bridge = *way[i];
    if (bridge.class_code == subtractive_bridge) continue;
    if (any_window(bridge, [&](const Range<BusAddress>& window) { return window.contains(*range); })) continue;
    // A bridge that could not be read, or is of another kind, may have other windows.
    const bool is_read = bridge.class_code == pci_bridge && bridge.port_type != PortType::unknown;
    const auto windows = !bridge.bridge ? "is no bridge"
                                        : fmt::format("forwards {} and {} (prefetchable) only", words(bridge.bridge->memory),
                                                      words(bridge.bridge->prefetchable));
    auto finding = tell(name, *range, bridge, windows);
    blockers.push_back(is_read ? blocked(Code::bar_not_routed, std::move(finding))
                               : undecided(Code::bar_not_routed, std::move(finding)));
    return;
  }
  const auto judge_beside = [&](const Function& beside, const Function& own) {
    if (&beside == &own || !takes(beside, *range)) return false;
    blockers.push_back(undecided(Code::bar_not_routed, tell_taken(name, *range, beside)));
    return true;
  };
  for (std::size_t i = 0; i + 1 < way.size(); ++i)
    for (const auto* beside : machine.children_of(way[i + 1]->address))
      if (judge_beside(*beside, *way[i])) return;
  for (const auto& beside : machine.functions_on_bus(way.back()->root_domain, way.back()->root_bus))
    if (judge_beside(beside, *way.back())) return;
}

}  // namespace p2pd
