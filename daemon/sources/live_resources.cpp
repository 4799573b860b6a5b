// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sources/live_resources.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace p2pd {

namespace {

// include/linux/ioport.h; part of the ABI through this file and through struct pci_dev's users.
enum ResourceFlag : std::uint64_t {
  is_io = 0x100,
  is_mem = 0x200,
  prefetchable = 0x2000,
  mem_64 = 0x100000,
  disabled = 0x10000000,
  unset = 0x20000000,  // the kernel found no place for it: begin is 0, end is size - 1
};

struct Resource {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t flags = 0;
};

std::optional<std::uint64_t> take_hex(std::string_view& line) {
  if (!line.starts_with("0x")) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(line.data() + 2, line.data() + line.size(), value, 16);
  if (error != std::errc{}) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  if (line.starts_with(' ')) line.remove_prefix(1);
  return value;
}

// "0x0000004000080000 0x00000040000fffff 0x0000000000140204", drivers/pci/pci-sysfs.c resource_show().
std::optional<Resource> take_resource(std::string_view& text) {
  const auto end_of_line = text.find('\n');
  auto line = text.substr(0, end_of_line);
  text.remove_prefix(end_of_line == std::string_view::npos ? text.size() : end_of_line + 1);
  const auto begin = take_hex(line);
  const auto end = take_hex(line);
  const auto flags = take_hex(line);
  if (!begin || !end || !flags) return std::nullopt;
  return Resource{*begin, *end, *flags};
}

Bar bar_from_resource(unsigned index, const Resource& resource) {
  Bar bar;
  bar.index = static_cast<std::uint8_t>(index);
  bar.is_memory = (resource.flags & is_mem) != 0;
  bar.is_64bit = (resource.flags & mem_64) != 0;
  bar.is_prefetchable = (resource.flags & prefetchable) != 0;
  if (resource.end > resource.begin) bar.size = Bytes{resource.end - resource.begin + 1};
  bar.is_assigned = bar.size.value != 0 && resource.begin != 0 && (resource.flags & (unset | disabled)) == 0;
  if (bar.is_assigned) bar.cpu_address = CpuAddress{resource.begin};
  return bar;
}

}  // namespace

std::vector<Bar> join_bars(std::string_view resource, const std::vector<Bar>& registers) {
  std::vector<Bar> bars;
  for (unsigned index = 0; index < 6 && !resource.empty(); ++index) {
    const auto line = take_resource(resource);
    if (!line || (line->flags & (is_io | is_mem)) == 0) continue;
    Bar bar = bar_from_resource(index, *line);
    const auto own = std::find_if(registers.begin(), registers.end(), [&](const Bar& each) { return each.index == index; });
    // What the register of an unassigned BAR holds is left over from somebody else. Registers of VFs and of BARs by
    // Enhanced Allocation hold nothing.
    if (bar.is_assigned && own != registers.end()) bar.bus_address = own->bus_address;
    bars.push_back(bar);
  }
  return bars;
}

}  // namespace p2pd
