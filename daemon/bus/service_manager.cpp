// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/service_manager.h"

#include <cstdlib>
#include <memory>

#include "bus/raw.h"

namespace p2pd {

std::string ask_virtualization() {
  constexpr std::uint64_t one_second = 1'000'000;
  sd_bus* opened = nullptr;
  if (sd_bus_open_system(&opened) < 0) return {};
  const std::unique_ptr<sd_bus, Dropper<sd_bus_flush_close_unref>> bus(opened);
  sd_bus_set_method_call_timeout(bus.get(), one_second);
  char* text = nullptr;
  if (sd_bus_get_property_string(bus.get(), "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                 "org.freedesktop.systemd1.Manager", "Virtualization", nullptr, &text) < 0)
    return {};
  const std::unique_ptr<char, Dropper<std::free>> owned(text);
  return owned.get();
}

}  // namespace p2pd
