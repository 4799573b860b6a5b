// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>

#include "verdict/codes.h"
#include "verdict/path_conditions.h"

namespace p2pd {

namespace {

std::uint64_t length_of(const Bar& bar, const TargetName& name) {
  const auto rest = bar.size.value - std::min(bar.size.value, name.offset.value);
  return std::max<std::uint64_t>(name.length.value != 0 ? name.length.value : rest, 1);
}

std::uint64_t reach_of(unsigned address_bits) {
  return address_bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << address_bits) - 1;
}

// On a switch route the cookie is the bus address itself: the initiator's DMA engine must reach the range's last byte, and the
// IOMMU must let it be mapped there too.
void judge_bus_address(const Function& initiator, const Bar& bar, const TargetName& name, unsigned address_bits,
                       Findings& findings) {
  if (!bar.bus_address) {
    findings.doubt(Code::bus_address_unknown, [&]() -> Finding {
      return {.where = name.to_string(),
              .observed = "the address in the BAR register could not be read",
              .needed = "it: on a switch route it is the cookie",
              .remedy = "sudo lspci -xxxx",
              .isolation = ""};
    });
    return;
  }
  const auto first = bar.bus_address->value + name.offset.value;
  const auto range = make_range(Iova{first}, Bytes{length_of(bar, name)});
  const auto reach = reach_of(address_bits);
  if (!range || range->last() > reach) {
    findings.block(Code::beyond_dma_mask, [&]() -> Finding {
      return {.where = initiator.address.to_string(),
              .observed =
                  fmt::format("{} is at bus address {:#x}, the initiator reaches up to {:#x}", name.to_string(), first, reach),
              .needed = "a bus address that the initiator reaches: on a switch route it is the cookie",
              .remedy = "",
              .isolation = ""};
    });
    return;
  }
  for (const auto& region : initiator.reserved_regions) {
    if (region.type == "direct-relaxable" || !region.range.overlaps(*range)) continue;
    findings.block(Code::reserved_region, [&]() -> Finding {
      return {.where = name.to_string(),
              .observed = fmt::format("its bus address {:#x} is in {:#x}+{:#x}, reserved ({})", first, region.range.begin.value,
                                      region.range.length.value, region.type),
              .needed = "a bus address that VFIO maps: on a switch route it is the cookie",
              .remedy = "",
              .isolation = ""};
    });
    return;
  }
}

// An initiator with ATS asks the IOMMU for every address, a bus address too, and sends what it is answered.
void judge_translated(const Function& initiator, const Bar& bar, const PathQuestion& question, Findings& findings) {
  if (!initiator.ats_enabled.value_or(false)) return;
  const auto where = initiator.address.to_string();
  if (question.directions.translated != Answer::yes) {
    findings.report(Code::translation_blocked, question.directions.translated == Answer::no, [&]() -> Finding {
      return {.where = where,
              .observed = "ATS is enabled, and requests with translated addresses do not get there, or may not",
              .needed = "ports that let them pass (no Translation Blocking), or ATS off",
              .remedy = "pci=noats",
              .isolation = ""};
    });
    return;
  }
  if (question.expected != Route::switched) return;
  const bool is_elsewhere = bar.cpu_address && bar.bus_address && bar.cpu_address->value != bar.bus_address->value;
  findings.report(Code::ats_bus_address, is_elsewhere, [&]() -> Finding {
    return {.where = where,
            .observed =
                "ATS is enabled: it has the bus address translated once more, and whether the IOMMU gives the same one "
                "back is not known",
            .needed = "ATS off on a switch route",
            .remedy = "pci=noats",
            .isolation = ""};
  });
}

// What a request could meet before the root complex: windows and BARs beside and above the initiator.
std::vector<Range<Iova>> answered_before_the_root(const Machine& machine, const Place& initiator) {
  std::vector<Range<Iova>> taken;
  const auto add = [&](const std::optional<Range<BusAddress>>& range) {
    if (range && range->length.value != 0) taken.push_back({Iova{range->begin.value}, range->length});
  };
  const auto add_function = [&](const Function& function) {
    if (function.bridge) {
      add(function.bridge->memory);
      add(function.bridge->prefetchable);
    }
    for (const auto& bar : function.bars)
      if (bar.is_memory && bar.bus_address) add(make_range(*bar.bus_address, bar.size));
  };
  for (const auto* node : initiator.way)
    for (const auto* child : machine.children_of(node->address)) add_function(*child);
  const auto& top = *initiator.way.back();
  for (const auto& beside : machine.functions_on_bus(top.root_domain, top.root_bus)) add_function(beside);
  for (const auto& region : initiator.function->reserved_regions) taken.push_back(region.range);
  std::sort(taken.begin(), taken.end());
  return taken;
}

bool has_room(const std::vector<Range<Iova>>& taken, std::uint64_t reach, std::uint64_t length) {
  std::uint64_t from = 0;
  for (const auto& range : taken) {
    if (range.begin.value > from && std::min(range.begin.value - 1, reach) - from >= length - 1 && from <= reach) return true;
    from = std::max(from, range.last() + 1);
    if (from > reach) return false;
  }
  return reach - from >= length - 1;
}

void judge_room(const PathQuestion& question, const Bar& bar, const TargetName& name, unsigned address_bits, Findings& findings) {
  const auto reach = reach_of(address_bits);
  if (has_room(answered_before_the_root(question.machine, question.initiator), reach, length_of(bar, name))) return;
  findings.block(Code::iova_window_collision, [&]() -> Finding {
    return {.where = question.initiator.function->address.to_string(),
            .observed = fmt::format("up to {:#x}, as far as the initiator reaches, windows of bridges, BARs and reserved regions "
                                    "leave no {:#x} bytes in one piece",
                                    reach, length_of(bar, name)),
            .needed = "addresses that nobody before the IOMMU answers to",
            .remedy = "",
            .isolation = ""};
  });
}

}  // namespace

void judge_cookie(const PathQuestion& question, const TargetName& name, unsigned address_bits, Findings& findings) {
  if (question.expected == Route::none || question.expected == Route::local) return;
  const auto& initiator = *question.initiator.function;
  const auto* bar = question.target.function->find_bar(name.bar);
  if (bar == nullptr || !bar->is_memory || !bar->is_assigned) return;
  judge_translated(initiator, *bar, question, findings);
  if (question.expected == Route::switched)
    judge_bus_address(initiator, *bar, name, address_bits, findings);
  else if (address_bits < 64)  // with all 64 there is always room
    judge_room(question, *bar, name, address_bits, findings);
}

}  // namespace p2pd
