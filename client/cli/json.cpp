// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "cli/format.h"
#include "cli/hierarchy.h"

namespace p2pclient::cli {

namespace {

// Keeps the order in which keys were written: people read it too.
using Json = nlohmann::ordered_json;

Json document() { return Json{{"schema", json_schema}}; }

// Names come from devices and files: bytes that are not UTF-8 must not make the whole document fail.
std::string print(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }
Json known_or_null(const std::string& word) { return word.empty() || word == "unknown" ? Json() : Json(word); }

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

template <AddressKind kind>
Json address_or_null(const std::optional<MemoryAddress<kind>>& address) {
  return address ? Json(hex(address->value)) : Json();
}

Json number_or_null(std::uint32_t value) { return value == 0 ? Json() : Json(value); }

Json to_json(const Bar& bar) {
  return {{"index", bar.index},
          {"cpu_address", address_or_null(bar.cpu_address)},
          {"bus_address", address_or_null(bar.bus_address)},
          {"size", or_null(bar.size)},
          {"is_memory", bar.is_memory},
          {"is_64bit", bar.is_64bit},
          {"is_prefetchable", bar.is_prefetchable},
          {"is_assigned", bar.is_assigned},
          {"target", bar.target == "disabled" ? Json() : Json(bar.target)}};
}

Json to_json(const std::optional<Link>& link) {
  if (!link) return {};
  return {{"speed_mts", number_or_null(link->speed_mts)},
          {"width", number_or_null(link->width)},
          {"max_speed_mts", number_or_null(link->max_speed_mts)},
          {"max_width", number_or_null(link->max_width)}};
}

Json to_json(const Acs& acs) {
  const bool is_present = acs.state == "present";
  return {{"state", known_or_null(acs.state)},
          {"capability", is_present ? Json(hex(acs.capability)) : Json()},
          {"control", is_present ? Json(hex(acs.control)) : Json()}};
}

Json to_json(const Target& target) {
  return {{"name", target.name}, {"exclusive", target.exclusive}, {"access", or_null(target.access)}, {"state", target.state}};
}

Json to_json(const Device& device) {
  Json json{{"address", device.address},
            {"vendor", id(device.vendor, 4)},
            {"device", id(device.device, 4)},
            {"subsystem_vendor", id(device.subsystem_vendor, 4)},
            {"subsystem_device", id(device.subsystem_device, 4)},
            {"class", hex(device.class_code, 6)},
            {"revision", id(device.revision, 2)},
            {"vendor_name", or_null(device.vendor_name)},
            {"device_name", or_null(device.device_name)},
            {"class_name", or_null(device.class_name)},
            {"driver", or_null(device.driver)},
            {"numa_node", or_null(device.numa_node)},
            {"iommu_group", or_null(device.iommu_group)},
            {"parent", or_null(device.parent)},
            {"physical_function", or_null(device.physical_function)},
            {"virtual_functions", device.virtual_functions},
            {"port_type", known_or_null(device.port_type)},
            {"is_bridge", device.is_bridge},
            {"link", to_json(device.link)},
            {"max_payload", or_null(device.max_payload)},
            {"acs", to_json(device.acs)},
            {"memory_decode", or_null(device.memory_decode)},
            {"bus_master", or_null(device.bus_master)},
            {"ats_enabled", or_null(device.ats_enabled)},
            {"power_state", known_or_null(device.power_state)}};
  json["bars"] = Json::array();
  for (const auto& bar : device.bars) json["bars"].push_back(to_json(bar));
  json["targets"] = Json::array();
  for (const auto& target : device.targets) json["targets"].push_back(to_json(target));
  json["offered"] = device.is_offered;
  json["offer_group"] = or_null(device.offer_group);
  return json;
}

Json to_json(const HoldingInfo& holding) {
  return {{"path", holding.path},
          {"initiator", holding.initiator},
          {"backend", or_null(holding.backend)},
          {"state", holding.state},
          {"address_bits", holding.address_bits},
          {"owner_uid", or_null(holding.owner_uid)},
          {"owner_pid", or_null(holding.owner_pid)}};
}

Json to_json(const MappingInfo& mapping) {
  return {{"path", mapping.path},
          {"holding", or_null(mapping.holding)},
          {"kind", or_null(mapping.kind)},
          {"target", or_null(mapping.target)},
          {"cookie", mapping.holding.empty() ? Json() : Json(hex(mapping.cookie.value))},
          {"length", mapping.length},
          {"access", mapping.access},
          {"route", mapping.route},
          {"state", mapping.state},
          {"own_lease", mapping.has_own_lease}};
}

Json to_json(const std::monostate&) { return {}; }

Json to_json(const Change::Object& object) {
  return std::visit([](const auto& known) { return to_json(known); }, object);
}

Json to_json(const Blocker& blocker) {
  return {{"code", blocker.code},
          {"severity", blocker.severity},
          {"certain", blocker.is_certain},
          {"where", blocker.where},
          {"observed", or_null(blocker.observed)},
          {"needed", or_null(blocker.needed)},
          {"remedy", or_null(blocker.remedy)},
          {"isolation", or_null(blocker.isolation)}};
}

Json subtree(const std::vector<Device>& devices, const Hierarchy& hierarchy, std::size_t index) {
  auto json = to_json(devices[index]);
  json["children"] = Json::array();
  for (const auto child : hierarchy.children[index]) json["children"].push_back(subtree(devices, hierarchy, child));
  return json;
}

}  // namespace

std::string functions_json(const std::vector<Device>& devices) {
  auto json = document();
  json["functions"] = Json::array();
  for (const auto& device : devices) json["functions"].push_back(to_json(device));
  return print(json);
}

std::string tree_json(const std::vector<Device>& devices) {
  const auto hierarchy = hierarchy_of(devices);
  auto json = document();
  json["roots"] = Json::array();
  for (const auto root : hierarchy.roots) json["roots"].push_back(subtree(devices, hierarchy, root));
  return print(json);
}

std::string matrix_json(const Matrix& matrix) {
  auto json = document();
  json["initiators"] = matrix.initiators;
  json["targets"] = matrix.targets;
  json["legend"] = Json::array();
  for (const auto& kind : matrix.kinds) {
    if (kind.is_same)
      json["legend"].push_back({{"possible", nullptr}, {"answer", nullptr}, {"route", "same"}});
    else
      json["legend"].push_back(
          {{"possible", to_string(kind.possible)}, {"answer", to_string(kind.answer)}, {"route", kind.route}});
  }
  // Of a wide machine there are a hundred million cells: as values they would take sixteen bytes each.
  auto text = print(json);
  constexpr std::string_view end = "\n}\n";
  text.resize(text.size() - end.size());
  text += ",\n  \"cells\": [";
  for (std::size_t row = 0; row < matrix.initiators.size(); ++row) {
    text += row == 0 ? "\n    [" : ",\n    [";
    for (std::size_t column = 0; column < matrix.targets.size(); ++column) {
      if (column != 0) text += ',';
      text += std::to_string(matrix.cells.at(row * matrix.targets.size() + column));
    }
    text += ']';
  }
  return text + "]" + std::string(end);
}

std::string verdict_json(const Verdict& verdict) {
  auto json = document();
  json["initiator"] = verdict.initiator;
  json["target"] = verdict.target;
  json["bar"] = verdict.bar;
  json["answer"] = to_string(verdict.answer);
  json["possible"] = to_string(verdict.possible);
  json["route"] = verdict.route;
  json["decided_by"] = verdict.decided_by;
  json["writes"] = to_string(verdict.writes);
  json["reads"] = to_string(verdict.reads);
  json["translated"] = to_string(verdict.translated);
  json["evidence"] = verdict.evidence;
  json["kernel"] = {{"present", or_null(verdict.kernel.present)},
                    {"map_type", known_or_null(verdict.kernel.map_type)},
                    {"distance", or_null(verdict.kernel.distance)}};
  json["blockers"] = Json::array();
  for (const auto& blocker : verdict.blockers) json["blockers"].push_back(to_json(blocker));
  json["remedies"] = verdict.remedies;
  json["notes"] = verdict.notes;
  return print(json);
}

std::string grants_json(const std::vector<HoldingInfo>& holdings, const std::vector<MappingInfo>& mappings) {
  auto json = document();
  json["holdings"] = Json::array();
  for (const auto& holding : holdings) json["holdings"].push_back(to_json(holding));
  json["mappings"] = Json::array();
  for (const auto& mapping : mappings) json["mappings"].push_back(to_json(mapping));
  return print(json);
}

std::string change_json(const Change& change) {
  auto json = document();
  json["event"] = to_string(change.event);
  json["path"] = or_null(change.path);
  json["kind"] = or_null(kind(change));
  if (change.event == Change::Event::revoking || change.event == Change::Event::revoked) json["reason"] = change.reason;
  if (change.event == Change::Event::revoking) json["deadline_ms"] = change.deadline.count();
  json["before"] = to_json(change.before);
  json["after"] = to_json(change.after);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::vector<std::string> differences(const Change& change) {
  const auto before = to_json(change.before).flatten();
  const auto after = to_json(change.after).flatten();
  const auto text = [](const Json& values, const std::string& name) {
    const auto found = values.find(name);
    return found == values.end() ? "null" : found->dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  std::set<std::string> names;
  for (const auto& [name, value] : before.items()) names.insert(name);
  for (const auto& [name, value] : after.items()) names.insert(name);
  std::vector<std::string> lines;
  for (const auto& name : names) {
    const auto old_text = text(before, name);
    const auto new_text = text(after, name);
    if (old_text != new_text) lines.push_back(fmt::format("{}: {} -> {}", name.substr(1), old_text, new_text));
  }
  return lines;
}

std::string version_json(const std::string& client_version, const std::optional<DaemonInfo>& daemon) {
  auto json = document();
  json["client"] = client_version;
  json["daemon"] = nullptr;
  if (daemon)
    json["daemon"] = {{"version", daemon->version},
                      {"api_version", daemon->api_version},
                      {"features", daemon->features},
                      {"backends", daemon->backends},
                      {"problems", daemon->problems},
                      {"virtualization", known_or_null(daemon->virtualization)},
                      {"kernel_rule", known_or_null(daemon->kernel_rule)},
                      {"generation", daemon->generation}};
  return print(json);
}

std::string diagnosis_json(const std::vector<Diagnosis>& found) {
  auto json = document();
  json["healthy"] = is_healthy(found);
  auto& findings = json["findings"] = Json::array();
  for (const auto& one : found)
    findings.push_back(
        {{"subject", one.subject}, {"state", to_string(one.state)}, {"found", one.found}, {"next", known_or_null(one.next)}});
  return print(json);
}

std::string done_json(const std::string& verb, const std::string& object) {
  auto json = document();
  json["done"] = verb;
  json["object"] = object;
  return print(json);
}

}  // namespace p2pclient::cli
