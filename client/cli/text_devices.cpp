// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Functions: as a list, one in full, as a tree.
#include <fmt/format.h>

#include "cli/format.h"
#include "cli/hierarchy.h"
#include "cli/text.h"

namespace p2pclient::cli {

namespace {

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

template <class Number>
std::string or_dash(const std::optional<Number>& number) {
  return number ? fmt::format("{}", *number) : "-";
}

std::string tristate(const std::optional<bool>& value) { return !value ? "unknown" : *value ? "yes" : "no"; }

std::string bar_size(const Bar& bar) { return bar.size ? size(*bar.size) : "?"; }

// "0:1M 2:64M io4:32"
std::string bars(const Device& device) {
  std::string text;
  for (const auto& bar : device.bars) {
    if (!text.empty()) text += ' ';
    text += fmt::format("{}{}:{}", bar.is_memory ? "" : "io", bar.index, bar_size(bar));
  }
  return or_dash(text);
}

// What an operator has made of it: "offered", "target 2", both cannot be.
std::string peer(const Device& device) {
  std::string text;
  if (device.is_offered) text = device.offer_group.empty() ? "offered" : "offered to " + device.offer_group;
  for (const auto& bar : device.bars)
    if (bar.target != "disabled") text += fmt::format("{}BAR {} {}", text.empty() ? "" : ", ", bar.index, bar.target);
  return or_dash(text);
}

std::string describe(const Bar& bar) {
  auto text = fmt::format("{}, {}", bar.is_memory ? "memory" : "I/O ports", bar_size(bar));
  if (bar.is_memory) text += fmt::format(", {}-bit{}", bar.is_64bit ? 64 : 32, bar.is_prefetchable ? ", prefetchable" : "");
  if (!bar.is_assigned) text += ", unassigned";
  if (bar.bus_address) text += ", bus address " + hex(bar.bus_address->value);
  if (bar.cpu_address) text += ", CPU address " + hex(bar.cpu_address->value);
  if (bar.target != "disabled") text += ", target: " + bar.target;
  return text;
}

std::string describe(const Acs& acs) {
  return acs.state == "present" ? fmt::format("capability {}, control {}", hex(acs.capability), hex(acs.control)) : acs.state;
}

void add_branch(Table& table, const std::vector<Device>& devices, const Hierarchy& hierarchy, std::size_t index,
                std::optional<Table::Line> parent) {
  const auto& device = devices[index];
  const auto line = table.add({device.address, or_dash(device.driver), or_dash(device.iommu_group), peer(device),
                               class_title(device) + ": " + title(device)},
                              parent);
  table.color(line, 0, device.is_bridge ? "blue" : "green");
  for (const auto& bar : device.bars)
    table.add({fmt::format("BAR {} {}", bar.index, bar_size(bar)), "", "", bar.target == "disabled" ? "" : bar.target,
               bar.bus_address && bar.is_assigned
                   ? fmt::format("{} at {}", bar.is_memory ? "memory" : "I/O ports", hex(bar.bus_address->value))
                   : "unassigned"},
              line);
  for (const auto child : hierarchy.children[index]) add_branch(table, devices, hierarchy, child, line);
}

}  // namespace

std::string list_text(const std::vector<Device>& devices, const Style& style) {
  Table table({{"ADDRESS"},
               {"CLASS", false, false, true},
               {"DRIVER"},
               {"GROUP", true},
               {"NODE", true},
               {"BARS"},
               {"PEER"},
               {"NAME", false, false, true}},
              style);
  for (const auto& device : devices) {
    const auto line = table.add({device.address, class_title(device), or_dash(device.driver), or_dash(device.iommu_group),
                                 or_dash(device.numa_node), bars(device), peer(device), title(device)});
    if (peer(device) != "-") table.color(line, 6, "green");
  }
  return table.to_string();
}

std::string show_text(const Device& device) {
  std::string text = device.address + "\n";
  const auto line = [&](const char* name, const std::string& value) { text += fmt::format("  {:<18} {}\n", name, value); };
  line("name", title(device));
  line("ids", fmt::format("{}:{} (subsystem {}:{}), revision {}", id(device.vendor, 4), id(device.device, 4),
                          id(device.subsystem_vendor, 4), id(device.subsystem_device, 4), id(device.revision, 2)));
  line("class", fmt::format("{} ({})", class_title(device), hex(device.class_code, 6)));
  line("driver", or_dash(device.driver));
  line("IOMMU group", or_dash(device.iommu_group));
  line("NUMA node", or_dash(device.numa_node));
  line("port type", or_dash(device.port_type));
  line("below", or_dash(device.parent));
  if (!device.physical_function.empty()) line("physical function", device.physical_function);
  for (const auto& address : device.virtual_functions) line("virtual function", address);
  line("link", device.link ? link(*device.link) : "-");
  line("max payload", or_dash(device.max_payload));
  line("ACS", describe(device.acs));
  line("memory decode", tristate(device.memory_decode));
  line("bus master", tristate(device.bus_master));
  line("ATS enabled", tristate(device.ats_enabled));
  line("power state", device.power_state);
  for (const auto& bar : device.bars) line(fmt::format("BAR {}", bar.index).c_str(), describe(bar));
  for (const auto& target : device.targets)
    line("target", fmt::format("{}, {}, {}{}", target.name, target.state, target.exclusive ? "exclusive" : "shared",
                               target.access.empty() ? "" : ", " + target.access));
  line("offered", !device.is_offered ? "no" : device.offer_group.empty() ? "yes" : "to group " + device.offer_group);
  return text;
}

std::string tree_text(const std::vector<Device>& devices, const Style& style) {
  const auto hierarchy = hierarchy_of(devices);
  Table table({{"FUNCTION", false, true}, {"DRIVER"}, {"GROUP", true}, {"PEER"}, {"WHAT", false, false, true}}, style);
  for (const auto root : hierarchy.roots) add_branch(table, devices, hierarchy, root, std::nullopt);
  return table.to_string();
}

}  // namespace p2pclient::cli
