// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/device_properties.h"

#include <fmt/format.h>
#include <systemd/sd-bus-vtable.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "bus/guard.h"
#include "bus/wire.h"
#include "model/machine.h"
#include "verdict/verdict.h"

namespace p2pd {

namespace {

using Texts = std::vector<std::string>;

std::string text_of(const std::optional<Address>& address) { return address ? address->to_string() : ""; }

std::string text_of(const std::optional<bool>& fact) {
  if (!fact) return to_string(Tristate::unknown);
  return to_string(*fact ? Tristate::yes : Tristate::no);
}

const char* text_of(Target::Phase phase) {
  switch (phase) {
    case Target::Phase::opening: return "opening";
    case Target::Phase::enabled: return "enabled";
    case Target::Phase::disabling: return "disabling";
  }
  return "unknown";
}

const char* text_of(Acs::State state) {
  switch (state) {
    case Acs::State::absent: return "absent";
    case Acs::State::present: return "present";
    case Acs::State::unknown: break;
  }
  return "unknown";
}

std::vector<const Target*> targets_of(const DeviceView& view) {
  std::vector<const Target*> result;
  const TargetName first{view.function->address, 0, {}, {}};
  for (auto target = view.state->targets.lower_bound(first);
       target != view.state->targets.end() && target->first.device == view.function->address; ++target)
    result.push_back(&target->second);
  return result;
}

const InitiatorOffer* offer_of(const DeviceView& view) {
  const auto offer = view.state->offers.find(view.function->address);
  return offer == view.state->offers.end() ? nullptr : &offer->second;
}

std::string target_state(const Bar& bar, const std::vector<const Target*>& targets) {
  std::string state = "disabled";
  for (const auto* target : targets) {
    if (target->name.bar != bar.index) continue;
    if (target->name.length < bar.size) return "partial";
    state = text_of(target->phase);
  }
  return state;
}

Texts flags_of(const Bar& bar) {
  Texts flags{bar.is_memory ? "memory" : "io"};
  if (bar.is_64bit) flags.emplace_back("64bit");
  if (bar.is_prefetchable) flags.emplace_back("prefetchable");
  if (bar.is_assigned) flags.emplace_back("assigned");
  if (!bar.bus_address) flags.emplace_back("no-bus-address");
  if (bar.size.value == 0) flags.emplace_back("no-size");
  return flags;
}

using BarTuple = std::tuple<std::uint32_t, std::uint64_t, std::uint64_t, Texts, std::string>;

std::vector<BarTuple> bars(const DeviceView& view) {
  std::vector<BarTuple> result;
  const auto targets = targets_of(view);
  result.reserve(view.function->bars.size());
  for (const auto& bar : view.function->bars)
    result.emplace_back(bar.index, bar.bus_address.value_or(BusAddress{}).value, bar.size.value, flags_of(bar),
                        target_state(bar, targets));
  return result;
}

std::map<std::uint32_t, std::uint64_t> bar_cpu_addresses(const DeviceView& view) {
  std::map<std::uint32_t, std::uint64_t> result;
  for (const auto& bar : view.function->bars)
    if (bar.cpu_address) result.emplace(bar.index, bar.cpu_address->value);
  return result;
}

std::vector<std::tuple<std::string, bool, std::string, std::string>> targets(const DeviceView& view) {
  std::vector<std::tuple<std::string, bool, std::string, std::string>> result;
  for (const auto* target : targets_of(view))
    result.emplace_back(target->name.to_string(), target->exclusive, target->access ? to_string(*target->access) : "",
                        text_of(target->phase));
  return result;
}

std::vector<std::tuple<std::uint64_t, std::uint64_t, std::string>> reserved_regions(const DeviceView& view) {
  std::vector<std::tuple<std::uint64_t, std::uint64_t, std::string>> result;
  result.reserve(view.function->reserved_regions.size());
  for (const auto& region : view.function->reserved_regions)
    result.emplace_back(region.range.begin.value, region.range.length.value, region.type);
  return result;
}

std::vector<std::tuple<std::string, std::uint32_t, std::uint64_t, std::uint64_t>> msix_ranges(const DeviceView& view) {
  const auto& msix = view.function->msix;
  if (!msix) return {};
  return {{"table", msix->table_bar, msix->table_offset.value, msix->table_length.value},
          {"pba", msix->pba_bar, msix->pba_offset.value, msix->pba_length.value}};
}

std::tuple<std::uint32_t, std::uint8_t, std::uint32_t, std::uint8_t> link(const DeviceView& view) {
  const auto& link = view.function->link;
  return {link.speed_mts, link.width, link.max_speed_mts, link.max_width};
}

std::string root_bus(const DeviceView& view) {
  return fmt::format("{:04x}:{:02x}", view.function->root_domain, view.function->root_bus);
}

std::tuple<std::uint8_t, std::uint8_t> bus_range(const DeviceView& view) {
  const auto& bridge = view.function->bridge;
  if (!bridge) return {std::uint8_t{0}, std::uint8_t{0}};
  return {bridge->secondary_bus, bridge->subordinate_bus};
}

std::vector<std::tuple<std::string, std::uint64_t, std::uint64_t>> windows(const DeviceView& view) {
  std::vector<std::tuple<std::string, std::uint64_t, std::uint64_t>> result;
  const auto& bridge = view.function->bridge;
  if (bridge && bridge->memory) result.emplace_back("memory", bridge->memory->begin.value, bridge->memory->length.value);
  if (bridge && bridge->prefetchable)
    result.emplace_back("prefetchable", bridge->prefetchable->begin.value, bridge->prefetchable->length.value);
  return result;
}

Texts virtual_functions(const DeviceView& view) {
  Texts result;
  for (const auto& address : view.function->virtual_functions) result.push_back(address.to_string());
  return result;
}

std::tuple<std::string, std::uint16_t, std::uint16_t> acs(const DeviceView& view) {
  const auto& acs = view.function->acs;
  return {text_of(acs.state), acs.capability, acs.control};
}

std::int32_t numa_node(const DeviceView& view) { return view.function->numa_node.value_or(-1); }

std::int32_t iommu_group(const DeviceView& view) {
  return view.function->iommu_group ? static_cast<std::int32_t>(*view.function->iommu_group) : -1;
}

std::string offer_group(const DeviceView& view) {
  const auto* offer = offer_of(view);
  return offer == nullptr ? "" : offer->group;
}

bool trusted_firmware(const DeviceView& view) {
  const auto* offer = offer_of(view);
  return offer != nullptr && offer->trusted_firmware;
}

// A fact that is shown as it is.
template <auto Member>
auto fact(const DeviceView& view) {
  return view.function->*Member;
}

template <auto Get>
int get_property(sd_bus* /*bus*/, const char* /*path*/, const char* /*interface*/, const char* property, sd_bus_message* reply,
                 void* userdata, sd_bus_error* error) {
  return guard_vtable(property, error, [&] {
    put(reply, Get(*static_cast<const DeviceView*>(userdata)));
    return 1;
  });
}

template <auto Get>
DeviceProperty row(const char* name, unsigned flags = SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE) {
  using Value = decltype(Get(std::declval<const DeviceView&>()));
  return {name, signature_of<Value>(), flags, &get_property<Get>,
          [](const DeviceView& before, const DeviceView& after) { return Get(before) == Get(after); }};
}

std::vector<DeviceProperty> make_rows() {
  return {
      row<[](const DeviceView& view) { return view.function->address.to_string(); }>("Address", SD_BUS_VTABLE_PROPERTY_CONST),
      row<fact<&Function::vendor>>("VendorId"),
      row<fact<&Function::device>>("DeviceId"),
      row<fact<&Function::subsystem_vendor>>("SubsystemVendorId"),
      row<fact<&Function::subsystem_device>>("SubsystemDeviceId"),
      row<fact<&Function::revision>>("Revision"),
      row<fact<&Function::class_code>>("ClassCode"),
      row<fact<&Function::vendor_name>>("VendorName"),
      row<fact<&Function::device_name>>("DeviceName"),
      row<fact<&Function::class_name>>("ClassName"),
      row<fact<&Function::driver>>("Driver"),
      row<fact<&Function::driver_override>>("DriverOverride"),
      row<numa_node>("NumaNode"),
      row<iommu_group>("IommuGroup"),
      row<[](const DeviceView& view) { return view.function->iommu_type.value_or(""); }>("IommuType"),
      row<reserved_regions>("ReservedRegions"),
      row<bars>("Bars"),
      row<bar_cpu_addresses>("BarCpuAddresses"),
      row<targets>("Targets"),
      row<msix_ranges>("MsixRanges"),
      row<[](const DeviceView& view) { return to_string(view.function->port_type); }>("PortType"),
      row<fact<&Function::is_multifunction>>("Multifunction"),
      row<link>("Link"),
      row<[](const DeviceView& view) { return view.function->max_payload.value_or(0); }>("MaxPayload"),
      row<[](const DeviceView& view) { return text_of(view.function->parent); }>("Parent"),
      row<root_bus>("RootBus"),
      row<bus_range>("BusRange"),
      row<windows>("Windows"),
      row<[](const DeviceView& view) { return text_of(view.function->physical_function); }>("PhysicalFunction"),
      row<virtual_functions>("VirtualFunctions"),
      row<acs>("Acs"),
      row<[](const DeviceView& view) { return text_of(view.function->memory_decode); }>("MemoryDecode"),
      row<[](const DeviceView& view) { return text_of(view.function->bus_master); }>("BusMaster"),
      row<[](const DeviceView& view) { return text_of(view.function->ats_enabled); }>("AtsEnabled"),
      row<[](const DeviceView& view) { return to_string(view.function->power_state); }>("PowerState"),
      row<fact<&Function::is_runtime_suspended>>("RuntimeSuspended"),
      row<[](const DeviceView& view) { return offer_of(view) != nullptr; }>("Offered"),
      row<offer_group>("OfferGroup"),
      row<trusted_firmware>("TrustedFirmware"),
  };
}

}  // namespace

std::span<const DeviceProperty> device_properties() {
  static const auto rows = make_rows();
  return rows;
}

std::set<std::string> differences(const Function& before, const Function& after) {
  const State none;
  std::set<std::string> names;
  for (const auto& property : device_properties())
    if (!property.is_same({&before, &none}, {&after, &none})) names.insert(property.name);
  return names;
}

const std::set<std::string>& state_properties() {
  static const std::set<std::string> names{"Bars", "Targets", "Offered", "OfferGroup", "TrustedFirmware"};
  return names;
}

}  // namespace p2pd
