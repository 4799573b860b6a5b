// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/devices.h"

#include <systemd/sd-bus-vtable.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "bus/device_requests.h"
#include "bus/guard.h"
#include "bus/paths.h"

namespace p2pd {

namespace {

// An array of strings that sd-bus frees with free().
char** to_strv(const std::vector<std::string>& strings) {
  auto** const array = static_cast<char**>(std::calloc(strings.size() + 1, sizeof(char*)));
  if (array == nullptr) throw std::bad_alloc();
  for (std::size_t index = 0; index < strings.size(); ++index) {
    array[index] = strdup(strings[index].c_str());
    if (array[index] != nullptr) continue;
    for (std::size_t made = 0; made < index; ++made) std::free(array[made]);
    std::free(static_cast<void*>(array));
    throw std::bad_alloc();
  }
  return array;
}

sd_bus_vtable property_entry(const DeviceProperty& property) {
  return SD_BUS_PROPERTY(property.name, property.signature.c_str(), property.get, 0, property.flags);
}

sd_bus_vtable method_entry(const char* name, const char* signature, const char* argument_names,
                           sd_bus_message_handler_t handler) {
  // Unprivileged for sd-bus: the authority table decides.
  sd_bus_vtable entry = SD_BUS_METHOD(name, signature, "", handler, SD_BUS_VTABLE_UNPRIVILEGED);
  entry.x.method.names = argument_names;
  return entry;
}

constexpr const char* range_signature = "utta{sv}";
constexpr const char* range_names = "bar\0offset\0length\0options\0";
constexpr const char* options_signature = "a{sv}";
constexpr const char* options_names = "options\0";

}  // namespace

bool is_listed(const Machine& machine, const Function& function) {
  return machine.functions().size() <= most_listed || !function.physical_function;
}

std::size_t count_listed(const Machine& machine) {
  const auto& functions = machine.functions();
  return static_cast<std::size_t>(
      std::count_if(functions.begin(), functions.end(), [&](const Function& function) { return is_listed(machine, function); }));
}

Devices::Devices(sd_bus* bus, Announcer& announcer, Intake& intake, const Core& core)
    : announcer_(announcer), intake_(intake), core_(core), vtable_(make_vtable()) {
  shown_.devices = this;
  sd_bus_slot* slot = nullptr;
  must(sd_bus_add_fallback_vtable(bus, &slot, device_prefix, device_interface, vtable_.data(), &Devices::on_find, this),
       "sd_bus_add_fallback_vtable");
  objects_.reset(slot);
  must(sd_bus_add_node_enumerator(bus, &slot, device_prefix, &Devices::on_enumerate, this), "sd_bus_add_node_enumerator");
  enumerator_.reset(slot);
}

std::vector<sd_bus_vtable> Devices::make_vtable() {
  std::vector<sd_bus_vtable> table;
  table.push_back(SD_BUS_VTABLE_START(0));
  table.push_back(method_entry("Enable", range_signature, range_names, &on_method<ask_enable>));
  table.push_back(method_entry("Disable", range_signature, range_names, &on_method<ask_disable>));
  table.push_back(method_entry("Offer", options_signature, options_names, &on_method<ask_offer>));
  table.push_back(method_entry("Withdraw", options_signature, options_names, &on_method<ask_withdraw>));
  table.push_back(method_entry("Bind", options_signature, options_names, &on_method<ask_bind>));
  table.push_back(method_entry("Unbind", options_signature, options_names, &on_method<ask_unbind>));
  table.push_back(method_entry("Reset", options_signature, options_names, &on_method<ask_reset>));
  for (const auto& property : device_properties()) table.push_back(property_entry(property));
  table.push_back(SD_BUS_VTABLE_END);
  return table;
}

template <Devices::Parse parse>
int Devices::on_method(sd_bus_message* /*call*/, void* userdata, sd_bus_error* /*error*/) {
  const auto& shown = *static_cast<Shown*>(static_cast<DeviceView*>(userdata));
  shown.devices->intake_.take(device_interface,
                              [device = shown.function->address](sd_bus_message* call) { return parse(call, device); });
  return 1;  // answered, now or later
}

int Devices::on_find(sd_bus* /*bus*/, const char* path, const char* /*interface*/, void* userdata, void** found,
                     sd_bus_error* error) {
  return guard_vtable("look-up of a device", error, [&] {
    auto& self = *static_cast<Devices*>(userdata);
    const auto address = device_at(path);
    const auto* function = address ? self.core_.machine().find(*address) : nullptr;
    if (function == nullptr) return 0;
    self.shown_.function = function;
    self.shown_.state = &self.core_.state();
    *found = static_cast<DeviceView*>(&self.shown_);
    return 1;
  });
}

int Devices::on_enumerate(sd_bus* /*bus*/, const char* /*prefix*/, void* userdata, char*** nodes, sd_bus_error* error) {
  return guard_vtable("list of devices", error, [&] {
    std::vector<std::string> paths;
    const auto& machine = static_cast<Devices*>(userdata)->core_.machine();
    for (const auto& function : machine.functions())
      if (is_listed(machine, function)) paths.push_back(path_of(function.address));
    *nodes = to_strv(paths);
    return 0;
  });
}

void Devices::state_changed(const Address& device) { announcer_.changed(path_of(device), device_interface, state_properties()); }

void Devices::machine_changed(const Machine& before, const Machine& after) {
  for (const auto& old : before.functions())
    if (after.find(old.address) == nullptr) announcer_.removed(path_of(old.address), device_interface);
  for (const auto& now : after.functions()) {
    const auto* old = before.find(now.address);
    if (old == nullptr) {
      announcer_.added(path_of(now.address));
    } else if (*old != now) {
      if (const auto changed = differences(*old, now); !changed.empty())
        announcer_.changed(path_of(now.address), device_interface, changed);
    }
  }
}

}  // namespace p2pd
