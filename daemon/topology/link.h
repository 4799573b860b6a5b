// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Links along a path: how fast they run, and how fast both ends could.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "model/function.h"

namespace p2pd {

struct LinkState {
  std::uint32_t speed_mts = 0;
  std::uint8_t width = 0;
  std::uint32_t max_speed_mts = 0;  // the slower end's; 0 = not known
  std::uint8_t max_width = 0;

  [[nodiscard]] bool is_down_trained() const {
    return max_speed_mts != 0 && max_width != 0 && (speed_mts < max_speed_mts || width < max_width);
  }
};

// The link between `above` and what is below it; nothing where there is none (inside a switch) or it is not known.
[[nodiscard]] std::optional<LinkState> link_between(const Function& below, const Function& above);

// What is left in each direction after line encoding, as drivers/pci/pci.h PCIE_SPEED2MBS_ENC counts it; 0 = not known.
[[nodiscard]] std::uint32_t megabits_per_second(std::uint32_t speed_mts, std::uint8_t width);

// "8.0 GT/s x16"
[[nodiscard]] std::string link_name(std::uint32_t speed_mts, std::uint8_t width);

}  // namespace p2pd
