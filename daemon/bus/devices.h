// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every function as an object of org.p2pd1.Device: one fallback vtable over the picture of the machine. One registered
// object per function costs 223 MB at 13,000 functions, this 8 MB.
#pragma once

#include <systemd/sd-bus.h>

#include <cstddef>
#include <vector>

#include "bus/announcer.h"
#include "bus/device_properties.h"
#include "bus/intake.h"
#include "bus/service.h"

namespace p2pd {

// Not in lists of objects when there are more functions than this: VFs, which come by the thousands. dbus-daemon throws off
// the bus who sends more than 32 MiB in one message. They can be asked for one by one all the same.
inline constexpr std::size_t most_listed = 16384;

// Whether a list of all objects has this one.
[[nodiscard]] bool is_listed(const Machine& machine, const Function& function);
// How many it has.
[[nodiscard]] std::size_t count_listed(const Machine& machine);

class Devices {
 public:
  // All must live longer.
  Devices(sd_bus* bus, Announcer& announcer, Intake& intake, const Core& core);
  Devices(const Devices&) = delete;
  Devices& operator=(const Devices&) = delete;
  ~Devices() = default;

  // Targets or the offer of this function changed.
  void state_changed(const Address& device);
  void machine_changed(const Machine& before, const Machine& after);

 private:
  using Parse = Outcome<Ask> (*)(sd_bus_message* call, const Address& device);
  template <Parse parse>
  static int on_method(sd_bus_message* call, void* userdata, sd_bus_error* error);
  static int on_find(sd_bus* bus, const char* path, const char* interface, void* userdata, void** found, sd_bus_error* error);
  static int on_enumerate(sd_bus* bus, const char* prefix, void* userdata, char*** nodes, sd_bus_error* error);
  [[nodiscard]] static std::vector<sd_bus_vtable> make_vtable();

  Announcer& announcer_;
  Intake& intake_;
  const Core& core_;
  std::vector<sd_bus_vtable> vtable_;
  // The object that sd-bus asked for last: it looks one up (on_find) right before it calls the object's handler or getters,
  // and none of these looks up another.
  struct Shown : DeviceView {
    Devices* devices = nullptr;
  };
  Shown shown_;
  SlotRef objects_;
  SlotRef enumerator_;
};

}  // namespace p2pd
