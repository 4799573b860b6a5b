// SPDX-License-Identifier: LGPL-2.1-or-later
#include "topology/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace p2pd {

std::optional<LinkState> link_between(const Function& below, const Function& above) {
  if (above.port_type != PortType::root_port && above.port_type != PortType::switch_downstream &&
      above.port_type != PortType::pci_to_pcie_bridge)
    return std::nullopt;
  // Both ends tell the same; a VF tells nothing.
  const auto& trained = below.link.width != 0 ? below.link : above.link;
  if (trained.width == 0 || trained.speed_mts == 0) return std::nullopt;
  LinkState state{.speed_mts = trained.speed_mts, .width = trained.width};
  if (below.link.max_width == 0 || above.link.max_width == 0) return state;
  state.max_speed_mts = std::min(below.link.max_speed_mts, above.link.max_speed_mts);
  state.max_width = std::min(below.link.max_width, above.link.max_width);
  return state;
}

std::uint32_t megabits_per_second(std::uint32_t speed_mts, std::uint8_t width) {
  struct Lane {
    std::uint32_t speed_mts;
    std::uint32_t megabits;
  };
  // 8b/10b, from 8 GT/s on 128b/130b; 64 GT/s has flits, which the kernel counts whole.
  constexpr std::array<Lane, 6> lanes = {
      {{2500, 2000}, {5000, 4000}, {8000, 7876}, {16000, 15753}, {32000, 31507}, {64000, 64000}}};
  const auto* found = std::find_if(lanes.begin(), lanes.end(), [&](const Lane& lane) { return lane.speed_mts == speed_mts; });
  return found == lanes.end() ? 0 : found->megabits * width;
}

std::string link_name(std::uint32_t speed_mts, std::uint8_t width) {
  return fmt::format("{}.{} GT/s x{}", speed_mts / 1000, speed_mts % 1000 / 100, width);
}

}  // namespace p2pd
