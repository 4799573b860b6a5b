// SPDX-License-Identifier: LGPL-2.1-or-later
#include "decode.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

namespace p2pclient {

namespace {

template <class T>
T get(const Properties& properties, const char* name, T otherwise = {}) {
  const auto found = properties.find(name);
  return found != properties.end() && found->second.containsValueOfType<T>() ? found->second.get<T>() : std::move(otherwise);
}

std::string text(const Properties& properties, const char* name) { return get<std::string>(properties, name); }

std::optional<bool> tristate(const std::string& word) {
  if (word == "yes") return true;
  if (word == "no") return false;
  return std::nullopt;
}

bool has(const std::vector<std::string>& words, const char* word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::vector<Bar> decode_bars(const Properties& properties) {
  using Row = sdbus::Struct<std::uint32_t, std::uint64_t, std::uint64_t, std::vector<std::string>, std::string>;
  const auto cpu_addresses = get<std::map<std::uint32_t, std::uint64_t>>(properties, "BarCpuAddresses");
  std::vector<Bar> bars;
  for (const auto& row : get<std::vector<Row>>(properties, "Bars")) {
    const auto& flags = std::get<3>(row);
    Bar bar;
    bar.index = std::get<0>(row);
    if (const auto found = cpu_addresses.find(bar.index); found != cpu_addresses.end())
      bar.cpu_address = CpuAddress{found->second};
    if (!has(flags, "no-bus-address")) bar.bus_address = BusAddress{std::get<1>(row)};
    if (!has(flags, "no-size")) bar.size = std::get<2>(row);
    bar.is_memory = has(flags, "memory");
    bar.is_64bit = has(flags, "64bit");
    bar.is_prefetchable = has(flags, "prefetchable");
    bar.is_assigned = has(flags, "assigned");
    bar.target = std::get<4>(row);
    bars.push_back(std::move(bar));
  }
  return bars;
}

std::vector<Target> decode_targets(const Properties& properties) {
  using Row = sdbus::Struct<std::string, bool, std::string, std::string>;
  std::vector<Target> targets;
  for (const auto& row : get<std::vector<Row>>(properties, "Targets"))
    targets.push_back({std::get<0>(row), std::get<1>(row), std::get<2>(row), std::get<3>(row)});
  return targets;
}

std::optional<Link> decode_link(const Properties& properties) {
  using Row = sdbus::Struct<std::uint32_t, std::uint8_t, std::uint32_t, std::uint8_t>;
  const auto row = get<Row>(properties, "Link");
  const Link link{std::get<0>(row), std::get<1>(row), std::get<2>(row), std::get<3>(row)};
  if (link == Link{}) return std::nullopt;
  return link;
}

Acs decode_acs(const Properties& properties) {
  using Row = sdbus::Struct<std::string, std::uint16_t, std::uint16_t>;
  const auto row = get<Row>(properties, "Acs", Row{"unknown", std::uint16_t{0}, std::uint16_t{0}});
  return {std::get<0>(row), std::get<1>(row), std::get<2>(row)};
}

Blocker decode_blocker(const Properties& blocker) {
  return {text(blocker, "code"),   text(blocker, "severity"), get<bool>(blocker, "certain", true),
          text(blocker, "where"),  text(blocker, "observed"), text(blocker, "needed"),
          text(blocker, "remedy"), text(blocker, "isolation")};
}

// The BAR in ADDRESS:BAR[:RANGE]; the address itself ends two characters after its dot.
unsigned bar_of(const std::string& target) {
  const auto dot = target.find('.');
  if (dot == std::string::npos || target.size() < dot + 4) return 0;
  const char digit = target[dot + 3];
  return digit >= '0' && digit <= '9' ? static_cast<unsigned>(digit - '0') : 0;
}

}  // namespace

Answer decode_answer(const std::string& word) {
  if (word == "yes") return Answer::yes;
  if (word == "no") return Answer::no;
  return Answer::unknown;
}

PairSummary decode_pair(const std::string& word) {
  PairSummary pair;
  if (word == "same") {
    pair.is_same = true;
    return pair;
  }
  const auto first = word.find('/');
  const auto second = first == std::string::npos ? first : word.find('/', first + 1);
  if (second == std::string::npos) return pair;
  pair.possible = decode_answer(word.substr(0, first));
  pair.answer = decode_answer(word.substr(first + 1, second - first - 1));
  pair.route = word.substr(second + 1);
  return pair;
}

Device decode_device(const Properties& properties) {
  Device device;
  device.address = text(properties, "Address");
  device.vendor = get<std::uint16_t>(properties, "VendorId");
  device.device = get<std::uint16_t>(properties, "DeviceId");
  device.subsystem_vendor = get<std::uint16_t>(properties, "SubsystemVendorId");
  device.subsystem_device = get<std::uint16_t>(properties, "SubsystemDeviceId");
  device.class_code = get<std::uint32_t>(properties, "ClassCode");
  device.revision = get<std::uint8_t>(properties, "Revision");
  device.vendor_name = text(properties, "VendorName");
  device.device_name = text(properties, "DeviceName");
  device.class_name = text(properties, "ClassName");

  device.driver = text(properties, "Driver");
  if (const auto bytes = get<std::uint16_t>(properties, "MaxPayload"); bytes != 0) device.max_payload = bytes;
  if (const auto node = get<std::int32_t>(properties, "NumaNode", -1); node >= 0) device.numa_node = node;
  if (const auto group = get<std::int32_t>(properties, "IommuGroup", -1); group >= 0)
    device.iommu_group = static_cast<std::uint32_t>(group);
  device.parent = text(properties, "Parent");
  device.physical_function = text(properties, "PhysicalFunction");
  device.virtual_functions = get<std::vector<std::string>>(properties, "VirtualFunctions");
  device.port_type = text(properties, "PortType");
  using BusRange = sdbus::Struct<std::uint8_t, std::uint8_t>;
  device.is_bridge = get<BusRange>(properties, "BusRange") != BusRange{};
  device.link = decode_link(properties);
  device.acs = decode_acs(properties);
  device.bars = decode_bars(properties);
  device.targets = decode_targets(properties);

  device.memory_decode = tristate(text(properties, "MemoryDecode"));
  device.bus_master = tristate(text(properties, "BusMaster"));
  device.ats_enabled = tristate(text(properties, "AtsEnabled"));
  device.power_state = get<std::string>(properties, "PowerState", "unknown");
  device.is_offered = get<bool>(properties, "Offered");
  device.offer_group = text(properties, "OfferGroup");
  return device;
}

HoldingInfo decode_holding(const std::string& path, const Properties& properties) {
  HoldingInfo holding;
  holding.path = path;
  holding.initiator = text(properties, "Initiator");
  holding.backend = text(properties, "Backend");
  holding.state = text(properties, "State");
  holding.address_bits = get<std::uint32_t>(properties, "AddressBits", 64);
  constexpr auto hidden = std::numeric_limits<std::uint32_t>::max();
  if (const auto uid = get<std::uint32_t>(properties, "OwnerUid", hidden); uid != hidden) holding.owner_uid = uid;
  if (const auto pid = get<std::uint32_t>(properties, "OwnerPid"); pid != 0) holding.owner_pid = pid;
  return holding;
}

MappingInfo decode_mapping(const std::string& path, const Properties& properties) {
  MappingInfo mapping;
  mapping.path = path;
  mapping.holding = get<sdbus::ObjectPath>(properties, "Holding");
  if (mapping.holding == "/") mapping.holding.clear();
  mapping.kind = text(properties, "Kind");
  mapping.target = text(properties, "Target");
  mapping.cookie = Iova{get<std::uint64_t>(properties, "Cookie")};
  mapping.length = get<std::uint64_t>(properties, "Length");
  mapping.access = text(properties, "Access");
  mapping.route = text(properties, "Route");
  mapping.state = text(properties, "State");
  mapping.has_own_lease = get<bool>(properties, "OwnLease");
  return mapping;
}

Verdict decode_verdict(const Properties& properties) {
  Verdict verdict;
  verdict.initiator = text(properties, "initiator");
  verdict.target = text(properties, "target");
  verdict.bar = bar_of(verdict.target);
  verdict.possible = decode_answer(text(properties, "possible"));
  verdict.answer = decode_answer(text(properties, "answer"));
  verdict.route = get<std::string>(properties, "route", "none");
  verdict.decided_by = get<std::string>(properties, "decided_by", "route");
  verdict.writes = decode_answer(text(properties, "writes"));
  verdict.reads = decode_answer(text(properties, "reads"));
  verdict.translated = decode_answer(text(properties, "translated"));
  verdict.evidence = get<std::string>(properties, "evidence", "rules");
  const auto kernel = get<Properties>(properties, "kernel");
  verdict.kernel.present = tristate(text(kernel, "present"));
  verdict.kernel.map_type = get<std::string>(kernel, "map_type", "unknown");
  if (const auto distance = get<std::int32_t>(kernel, "distance", -1); distance >= 0)
    verdict.kernel.distance = static_cast<unsigned>(distance);
  for (const auto& blocker : get<std::vector<Properties>>(properties, "blockers"))
    verdict.blockers.push_back(decode_blocker(blocker));
  verdict.remedies = get<std::vector<std::string>>(properties, "remedies");
  verdict.notes = get<std::vector<std::string>>(properties, "notes");
  return verdict;
}

DaemonInfo decode_info(const Properties& manager) {
  DaemonInfo info;
  info.version = text(manager, "Version");
  info.api_version = get<std::uint32_t>(manager, "ApiVersion");
  info.features = get<std::vector<std::string>>(manager, "Features");
  info.backends = get<std::vector<std::string>>(manager, "Backends");
  info.problems = get<std::vector<std::string>>(manager, "Problems");
  info.virtualization = text(manager, "Virtualization");
  info.kernel_rule = text(manager, "KernelRule");
  info.generation = get<std::uint64_t>(manager, "Generation");
  return info;
}

}  // namespace p2pclient
