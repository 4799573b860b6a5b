// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Not libpci's dump reader: it knows no domains of more than four digits (VMD, Hyper-V), takes sizes and drivers from
// nowhere, and answers a malformed line with a callback that must not return (lib/dump.c dump_init()). The rows are
// simple enough to be read here, and the bytes are decoded by our own decoder anyway.
#include "sources/dump_text.h"

#include <fmt/format.h>

#include <charconv>
#include <set>

namespace p2pd {

namespace {

constexpr std::size_t config_size = 4096;

template <class Number>
std::optional<Number> parse_number(std::string_view digits, int base) {
  Number value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// "0000:00:02.0 Ethernet controller: …"; lspci leaves the domain out when all functions are in domain 0.
std::optional<Address> parse_heading(std::string_view line) {
  const auto word = line.substr(0, line.find(' '));
  constexpr std::size_t short_form = std::string_view("bb:dd.f").size();
  return Address::parse(word.size() == short_form ? "0000:" + std::string(word) : std::string(word));
}

// "40: 09 50 …" or "100: …": the offset, and the line moved on to the bytes.
std::optional<std::size_t> take_row_offset(std::string_view& line) {
  const auto colon = line.find(':');
  if (colon < 2 || colon > 4) return std::nullopt;  // npos too; four digits lie behind the end
  const auto offset = parse_number<std::size_t>(line.substr(0, colon), 16);
  if (offset) line.remove_prefix(colon + 1);
  return offset;
}

// Whether the row fits behind what is there already and is well formed.
bool add_row(std::vector<std::uint8_t>& config, std::size_t offset, std::string_view bytes) {
  if (offset != config.size()) return false;
  while (!bytes.empty() && bytes != " ") {
    const auto byte = bytes.size() >= 3 && bytes[0] == ' ' ? parse_number<std::uint8_t>(bytes.substr(1, 2), 16) : std::nullopt;
    if (!byte || config.size() == config_size) return false;
    config.push_back(*byte);
    bytes.remove_prefix(3);
  }
  return true;
}

// "[size=512K]", lspci.c show_size().
Bytes parse_size(std::string_view line) {
  constexpr std::string_view mark = "[size=";
  const auto begin = line.find(mark);
  const auto end = line.find(']', begin == std::string_view::npos ? begin : begin + mark.size());
  if (begin == std::string_view::npos || end == std::string_view::npos) return {};
  auto text = line.substr(begin + mark.size(), end - begin - mark.size());
  unsigned shift = 0;
  constexpr std::string_view suffixes = "KMGT";
  if (const auto suffix = text.empty() ? std::string_view::npos : suffixes.find(text.back()); suffix != std::string_view::npos) {
    shift = 10 * (static_cast<unsigned>(suffix) + 1);
    text.remove_suffix(1);
  }
  const auto number = parse_number<std::uint64_t>(text, 10);
  if (!number || (*number << shift) >> shift != *number) return {};
  return Bytes{*number << shift};
}

// "\tRegion 2: Memory at fe000000 (64-bit, prefetchable) [size=1M]", without number at -v; lspci.c show_bases().
// Two tabs are VF BARs in the SR-IOV capability of a PF.
std::optional<DumpRegion> parse_region(std::string_view line) {
  if (!line.starts_with('\t') || line.starts_with("\t\t")) return std::nullopt;
  line.remove_prefix(1);
  DumpRegion region;
  constexpr std::string_view numbered = "Region ";
  if (line.starts_with(numbered)) {
    line.remove_prefix(numbered.size());
    const auto colon = line.find(": ");
    region.index = colon == std::string_view::npos ? std::nullopt : parse_number<unsigned>(line.substr(0, colon), 10);
    if (!region.index || *region.index > 5) return std::nullopt;
    line.remove_prefix(colon + 2);
  }
  if (line.starts_with("[virtual] ")) line.remove_prefix(std::string_view("[virtual] ").size());
  region.is_memory = line.starts_with("Memory at ");
  if (!region.is_memory && !line.starts_with("I/O ports at ")) return std::nullopt;
  const auto contains = [&](std::string_view what) { return line.find(what) != std::string_view::npos; };
  region.is_64bit = contains("(64-bit");
  region.is_prefetchable = contains(", prefetchable");
  region.is_in_register = !contains("<unassigned>");
  region.is_assigned = region.is_in_register && !contains("<ignored>");
  region.size = parse_size(line);
  return region;
}

// "\tFlags: bus master, fast devsel, NUMA node 1, IOMMU group 17": so at -v; at -vv each has a line of its own.
template <class Number>
std::optional<Number> find_flag(std::string_view line, std::string_view name) {
  const auto begin = line.find(name);
  if (begin == std::string_view::npos) return std::nullopt;
  line.remove_prefix(begin + name.size());
  return parse_number<Number>(line.substr(0, line.find(',')), 10);
}

void parse_detail(DumpEntry& entry, std::string_view line) {
  const auto value_of = [&](std::string_view name) -> std::optional<std::string_view> {
    return line.starts_with(name) ? std::optional(line.substr(name.size())) : std::nullopt;
  };
  if (const auto region = parse_region(line)) {
    entry.regions.push_back(*region);
  } else if (const auto flags = value_of("\tFlags: ")) {
    entry.numa_node = find_flag<int>(*flags, ", NUMA node ");
    entry.iommu_group = find_flag<std::uint32_t>(*flags, ", IOMMU group ");
  } else if (const auto driver = value_of("\tKernel driver in use: ")) {
    entry.driver = *driver;
  } else if (const auto node = value_of("\tNUMA node: ")) {
    entry.numa_node = parse_number<int>(*node, 10);
  } else if (const auto group = value_of("\tIOMMU group: ")) {
    entry.iommu_group = parse_number<std::uint32_t>(*group, 10);
  }
}

}  // namespace

Outcome<std::vector<DumpEntry>> parse_dump_text(std::string_view text) {
  std::vector<DumpEntry> entries;
  std::set<Address> seen;
  bool is_inside = false;
  for (std::size_t number = 1; !text.empty(); ++number) {
    auto line = take_line(text);
    const auto wrong = [&](std::string_view what) {
      return refuse(ErrorCode::invalid_argument, fmt::format("dump, line {}: {}", number, what));
    };
    if (line.empty()) {
      is_inside = false;
    } else if (const auto address = parse_heading(line)) {
      if (!seen.insert(*address).second) return wrong(address->to_string() + " is there twice");
      entries.push_back({.address = *address, .config = {}, .regions = {}, .driver = {}, .numa_node = {}, .iommu_group = {}});
      is_inside = true;
    } else if (const auto offset = is_inside ? take_row_offset(line) : std::nullopt) {
      if (!add_row(entries.back().config, *offset, line)) return wrong("malformed row of config bytes");
    } else if (is_inside) {
      parse_detail(entries.back(), line);
    }
  }
  bool has_config = false;
  for (const DumpEntry& entry : entries) has_config = has_config || !entry.config.empty();
  if (!has_config)
    return refuse(ErrorCode::invalid_argument, "dump: there are no config bytes in it; make it with `lspci -xxxx`, as root");
  return entries;
}

}  // namespace p2pd
