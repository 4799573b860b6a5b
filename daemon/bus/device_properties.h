// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The properties of org.p2pd1.Device: from facts and state to D-Bus values, one row each.
#pragma once

#include <systemd/sd-bus.h>

#include <cstdint>
#include <set>
#include <span>
#include <string>

#include "arbiter/state.h"
#include "model/function.h"

namespace p2pd {

// What one object shows.
struct DeviceView {
  const Function* function = nullptr;
  const State* state = nullptr;
};

struct DeviceProperty {
  const char* name;
  std::string signature;
  unsigned flags;
  sd_bus_property_get_t get;  // its userdata is a DeviceView*
  bool (*is_same)(const DeviceView& before, const DeviceView& after);
};

[[nodiscard]] std::span<const DeviceProperty> device_properties();

// Names of those whose values differ.
[[nodiscard]] std::set<std::string> differences(const Function& before, const Function& after);

// Those that targets and offers are shown by.
[[nodiscard]] const std::set<std::string>& state_properties();

}  // namespace p2pd
