// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hwloc_tree.h"

#include <fmt/format.h>

#include <iterator>
#include <stdexcept>
#include <string>

namespace p2pd::bench {

namespace {

using Text = std::back_insert_iterator<std::string>;

void write_function(const Machine& machine, const Function& function, unsigned depth, Text out) {
  const auto address = function.address.to_string();
  const auto ids = fmt::format("pci_busid=\"{}\" pci_type=\"{:04x} [{:04x}:{:04x}] [0000:0000] 00\" pci_link_speed=\"0\"",
                               address, function.class_code >> 8, function.vendor, function.device);
  if (!function.bridge) {
    fmt::format_to(out, "<object type=\"PCIDev\" {}/>\n", ids);
    return;
  }
  fmt::format_to(out, "<object type=\"Bridge\" bridge_type=\"1-1\" depth=\"{}\" bridge_pci=\"{:04x}:[{:02x}-{:02x}]\" {}>\n",
                 depth, function.address.domain, function.bridge->secondary_bus, function.bridge->subordinate_bus, ids);
  for (const auto* child : machine.children_of(function.address)) write_function(machine, *child, depth + 1, out);
  fmt::format_to(out, "</object>\n");
}

// hwloc's own format; its reader of sysfs would want processors as well.
std::string to_xml(const Machine& machine) {
  std::string xml =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n<topology version=\"2.0\">\n"
      "<object type=\"Machine\" os_index=\"0\" cpuset=\"0x1\" complete_cpuset=\"0x1\" allowed_cpuset=\"0x1\" nodeset=\"0x1\" "
      "complete_nodeset=\"0x1\" allowed_nodeset=\"0x1\">\n"
      "<object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x1\" complete_cpuset=\"0x1\" nodeset=\"0x1\" complete_nodeset=\"0x1\" "
      "local_memory=\"1\"/>\n"
      "<object type=\"PU\" os_index=\"0\" cpuset=\"0x1\" complete_cpuset=\"0x1\" nodeset=\"0x1\" complete_nodeset=\"0x1\"/>\n";
  const Text out(xml);
  const auto& functions = machine.functions();
  for (std::size_t i = 0; i < functions.size();) {
    const auto domain = functions[i].root_domain;
    fmt::format_to(out, "<object type=\"Bridge\" bridge_type=\"0-1\" depth=\"0\" bridge_pci=\"{:04x}:[00-ff]\">\n", domain);
    for (; i < functions.size() && functions[i].root_domain == domain; ++i)
      if (machine.bridge_above(functions[i]) == nullptr) write_function(machine, functions[i], 1, out);
    fmt::format_to(out, "</object>\n");
  }
  return xml + "</object>\n</topology>\n";
}

unsigned level_of(hwloc_obj_t object) {
  unsigned level = 0;
  for (; object->parent != nullptr; object = object->parent) ++level;
  return level;
}

}  // namespace

HwlocTree::HwlocTree(const Machine& machine) : topology_(nullptr, hwloc_topology_destroy) {
  hwloc_topology_t made = nullptr;
  if (hwloc_topology_init(&made) < 0) throw std::runtime_error("hwloc_topology_init");
  topology_.reset(made);
  const auto xml = to_xml(machine);
  if (hwloc_topology_set_io_types_filter(made, HWLOC_TYPE_FILTER_KEEP_ALL) < 0 ||
      hwloc_topology_set_xmlbuffer(made, xml.c_str(), static_cast<int>(xml.size() + 1)) < 0 || hwloc_topology_load(made) < 0)
    throw std::runtime_error("hwloc does not take the machine");
  for (auto* device = hwloc_get_next_pcidev(made, nullptr); device != nullptr; device = hwloc_get_next_pcidev(made, device))
    devices_.push_back(device);
}

hwloc_obj_t HwlocTree::common_ancestor(hwloc_obj_t a, hwloc_obj_t b) {
  auto level_a = level_of(a);
  auto level_b = level_of(b);
  for (; level_a > level_b; --level_a) a = a->parent;
  for (; level_b > level_a; --level_b) b = b->parent;
  while (a != b) {
    a = a->parent;
    b = b->parent;
  }
  return a;
}

}  // namespace p2pd::bench
