// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/rules.h"

namespace p2pclient::cli {

namespace {

Bar to_bar(const p2pd::Bar& from) {
  Bar bar;
  bar.index = from.index;
  if (from.cpu_address) bar.cpu_address = CpuAddress{from.cpu_address->value};
  if (from.bus_address) bar.bus_address = BusAddress{from.bus_address->value};
  if (from.size.value != 0) bar.size = from.size.value;
  bar.is_memory = from.is_memory;
  bar.is_64bit = from.is_64bit;
  bar.is_prefetchable = from.is_prefetchable;
  bar.is_assigned = from.is_assigned;
  return bar;
}

Acs to_acs(const p2pd::Acs& from) {
  Acs acs;
  switch (from.state) {
    case p2pd::Acs::State::unknown: acs.state = "unknown"; break;
    case p2pd::Acs::State::absent: acs.state = "absent"; break;
    case p2pd::Acs::State::present: acs.state = "present"; break;
  }
  acs.capability = from.capability;
  acs.control = from.control;
  return acs;
}

}  // namespace

Answer to_answer(p2pd::Tristate value) {
  switch (value) {
    case p2pd::Tristate::no: return Answer::no;
    case p2pd::Tristate::yes: return Answer::yes;
    case p2pd::Tristate::unknown: break;
  }
  return Answer::unknown;
}

Device to_device(const p2pd::Function& function) {
  Device device;
  device.address = function.address.to_string();
  device.vendor = function.vendor;
  device.device = function.device;
  device.subsystem_vendor = function.subsystem_vendor;
  device.subsystem_device = function.subsystem_device;
  device.class_code = function.class_code;
  device.revision = function.revision;
  device.vendor_name = function.vendor_name;
  device.device_name = function.device_name;
  device.class_name = function.class_name;

  device.driver = function.driver;
  device.numa_node = function.numa_node;
  device.iommu_group = function.iommu_group;
  if (function.parent) device.parent = function.parent->to_string();
  if (function.physical_function) device.physical_function = function.physical_function->to_string();
  for (const auto& address : function.virtual_functions) device.virtual_functions.push_back(address.to_string());
  device.port_type = p2pd::to_string(function.port_type);
  device.is_bridge = function.is_bridge();
  const Link link{function.link.speed_mts, function.link.width, function.link.max_speed_mts, function.link.max_width};
  if (link != Link{}) device.link = link;
  device.max_payload = function.max_payload;
  device.acs = to_acs(function.acs);
  for (const auto& bar : function.bars) device.bars.push_back(to_bar(bar));

  device.memory_decode = function.memory_decode;
  device.bus_master = function.bus_master;
  device.ats_enabled = function.ats_enabled;
  device.power_state = p2pd::to_string(function.power_state);
  return device;
}

Verdict to_verdict(const p2pd::Verdict& from) {
  Verdict verdict;
  verdict.initiator = from.initiator.to_string();
  verdict.target = from.target.to_string();
  verdict.bar = from.target.bar;
  verdict.answer = to_answer(from.answer);
  verdict.possible = to_answer(from.possible);
  verdict.route = p2pd::to_string(from.route);
  verdict.decided_by = p2pd::to_string(from.decided_by);
  verdict.writes = to_answer(from.directions.writes);
  verdict.reads = to_answer(from.directions.reads);
  verdict.translated = to_answer(from.directions.translated);
  verdict.evidence = p2pd::to_string(from.evidence);
  if (from.kernel.present != p2pd::Tristate::unknown) verdict.kernel.present = from.kernel.present == p2pd::Tristate::yes;
  verdict.kernel.map_type = p2pd::to_string(from.kernel.map_type);
  verdict.kernel.distance = from.kernel.distance;
  for (const auto& blocker : from.blockers)
    verdict.blockers.push_back({blocker.code, p2pd::to_string(blocker.severity), blocker.is_certain, blocker.where,
                                blocker.observed, blocker.needed, blocker.remedy, blocker.isolation});
  verdict.remedies = from.remedies;
  verdict.notes = from.notes;
  return verdict;
}

}  // namespace p2pclient::cli
