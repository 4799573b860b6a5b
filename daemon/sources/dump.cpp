// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

#include "model/unique_fd.h"
#include "sources/dump_text.h"
#include "sources/dump_tree.h"
#include "sources/names.h"
#include "sources/source.h"

namespace p2pd {

namespace {

bool is_same_kind(const Bar& bar, const DumpRegion& region) {
  return bar.is_memory == region.is_memory && bar.is_64bit == region.is_64bit && bar.is_prefetchable == region.is_prefetchable;
}

Bar bar_from_region(unsigned index, const DumpRegion& region) {
  Bar bar;
  bar.index = static_cast<std::uint8_t>(index);
  bar.is_memory = region.is_memory;
  bar.is_64bit = region.is_64bit;
  bar.is_prefetchable = region.is_prefetchable;
  bar.is_assigned = region.is_assigned;
  return bar;
}

// What is left over in a register is no address: the kernel routes nothing there.
void take_region(Bar& bar, const DumpRegion& region) {
  bar.size = region.size;
  if (region.is_assigned || !region.is_in_register) return;
  bar.is_assigned = false;
  bar.bus_address.reset();
}

// The lines of -vv are numbered: they give sizes, and the BARs whose register tells nothing (those of a VF, or
// unassigned 32-bit memory). The lines of -v come in the order of the registers, and only give sizes.
void add_regions(std::vector<Bar>& bars, const std::vector<DumpRegion>& regions) {
  std::size_t next = 0;
  for (const DumpRegion& region : regions) {
    if (!region.index) {
      // A register that is empty may be no BAR of ours at all.
      const auto is_it = [&](const Bar& bar) { return is_same_kind(bar, region) && bar.is_assigned == region.is_in_register; };
      const auto found = std::find_if(bars.begin() + static_cast<std::ptrdiff_t>(next), bars.end(), is_it);
      if (found == bars.end()) continue;
      next = static_cast<std::size_t>(found - bars.begin()) + 1;
      take_region(*found, region);
      continue;
    }
    auto bar = std::find_if(bars.begin(), bars.end(), [&](const Bar& candidate) { return candidate.index == *region.index; });
    if (bar == bars.end()) bar = bars.insert(bars.end(), bar_from_region(*region.index, region));
    if (is_same_kind(*bar, region)) take_region(*bar, region);
  }
  std::sort(bars.begin(), bars.end(), [](const Bar& a, const Bar& b) { return a.index < b.index; });
}

// All of it, or one byte more than `most`; nothing with errno.
std::optional<std::string> read_up_to(int fd, std::size_t most) {
  std::string text;
  std::array<char, 65536> buffer{};
  while (text.size() <= most) {
    const ssize_t count = ::read(fd, buffer.data(), std::min(buffer.size(), most + 1 - text.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

DumpedFunction decode(const DumpEntry& entry) {
  const auto facts = decode_config(ConfigBytes(entry.config));
  DumpedFunction dumped;
  Function& function = dumped.function;
  function.address = entry.address;
  function.driver = entry.driver;
  function.numa_node = entry.numa_node;
  function.iommu_group = entry.iommu_group;
  function.has_unread_regions = true;
  dumped.is_silent = !facts.responds;
  if (!facts.responds) return dumped;
  function.vendor = facts.vendor;
  function.device = facts.device;
  function.subsystem_vendor = facts.subsystem_vendor;
  function.subsystem_device = facts.subsystem_device;
  function.revision = facts.revision;
  function.class_code = facts.class_code;
  function.bars = facts.bars;
  add_regions(function.bars, entry.regions);
  dumped.sriov = facts.sriov;
  dumped.is_virtual = facts.vendor == 0xffff && facts.device == 0xffff;
  take_config_facts(function, facts);
  if (dumped.is_virtual) {
    // The memory enable and the Max Payload Size of a VF itself mean nothing; its PF's count, if the dump has it.
    function.memory_decode.reset();
    function.max_payload.reset();
    function.is_multifunction = facts.is_multifunction;
  }
  return dumped;
}

}  // namespace

Outcome<Machine> parse_dump(std::string_view text) {
  const auto entries = parse_dump_text(text);
  if (!entries) return tl::unexpected(entries.error());
  std::vector<DumpedFunction> dumped;
  dumped.reserve(entries->size());
  std::transform(entries->begin(), entries->end(), std::back_inserter(dumped), decode);
  place_functions(dumped);

  std::vector<Function> functions;
  functions.reserve(dumped.size());
  for (DumpedFunction& each : dumped) functions.push_back(std::move(each.function));
  HostFacts host;
  host.is_live = false;
  return Machine(std::move(host), std::move(functions));
}

Outcome<Machine> read_dump(const std::filesystem::path& file, std::size_t most) {
  const bool is_standard_input = file == "-";
  const std::string name = is_standard_input ? "standard input" : file.string();
  const UniqueFd opened(is_standard_input ? -1 : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!is_standard_input && !opened) return refuse_errno(name, errno);
  const auto text = read_up_to(is_standard_input ? STDIN_FILENO : opened.get(), most);
  if (!text) return refuse_errno(name, errno);
  if (text->size() > most)
    return refuse(ErrorCode::invalid_argument, fmt::format("{}: more than {} bytes: no dump of a machine", name, most));
  auto machine = parse_dump(*text);
  if (!machine) return refuse(machine.error().code, name + ": " + machine.error().text);
  auto functions = machine->functions();
  name_functions(functions);
  return Machine(machine->host(), std::move(functions));
}

}  // namespace p2pd
