// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "topology/acs.h"
#include "verdict/codes.h"
#include "verdict/conditions.h"
#include "verdict/path_conditions.h"

namespace p2pd {

namespace {

std::uint64_t reach_of(unsigned address_bits) {
  return address_bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << address_bits) - 1;
}

void doubt_bus_address(const TargetName& name, Findings& findings) {
  findings.doubt(Code::bus_address_unknown, [&]() -> Finding {
    return {.where = name.to_string(),
            .observed = "the address in the BAR register could not be read",
            .needed = "it: bridges route by it, and on a switch route it is the cookie",
            .remedy = "sudo lspci -xxxx",
            .isolation = ""};
  });
}

// On its own way up a request must meet nobody who takes the address for itself or its own side: neither a bridge, nor who is
// beside one, unless all is redirected there. Who is beside the two where the paths part is judged with the target's windows.
void judge_way_up(const PathQuestion& question, const Bar& bar, const TargetName& name, Findings& findings) {
  const auto range = bus_range_of(bar, name);
  if (!range) return;
  const auto tell = [&](const Function& by) {
    findings.doubt(Code::bar_not_routed, [&] { return tell_taken(name, *range, by); });
  };
  const auto arm = question.path.initiator_arm;
  for (std::size_t i = 0; i < arm.size(); ++i) {
    if (forwards_down(*arm[i], *range) || takes(*arm[i], *range)) tell(*arm[i]);
    if (i + 1 == arm.size()) return;
    for (const auto* beside : question.machine.children_of(arm[i + 1]->address))
      if (beside != arm[i] && takes(*beside, *range) && turn_of_request(*arm[i], *beside) != Turn::up) tell(*beside);
  }
}

// Where a picture does not tell reserved regions: where interrupts go on x86, and what AMD's IOMMUs leave to HyperTransport
// (drivers/iommu/amd/iommu.c amd_iommu_get_resv_regions()).
constexpr std::array<Range<Iova>, 2> usually_reserved = {
    {{Iova{0xfee0'0000}, Bytes{0x10'0000}}, {Iova{0xfd'0000'0000}, Bytes{0x3'0000'0000}}}};

void doubt_unread_regions(const Machine& machine, const Function& initiator, const Range<Iova>& range, const TargetName& name,
                          Findings& findings) {
  if (!initiator.has_unread_regions) return;
  const bool may_be_reserved = std::any_of(usually_reserved.begin(), usually_reserved.end(),
                                           [&](const Range<Iova>& usual) { return usual.overlaps(range); });
  if (!machine.host().is_live && !may_be_reserved) return;
  findings.doubt(Code::reserved_region, [&]() -> Finding {
    return {.where = name.to_string(),
            .observed = fmt::format("which regions are reserved could not be read; its bus address is {:#x}", range.begin.value),
            .needed = "a bus address that VFIO maps: on a switch route it is the cookie",
            .remedy = "",
            .isolation = ""};
  });
}

// Which unit translates for the initiator is not told: where they differ, it may be any. Where nobody tells how much they
// translate, it is all that the CPU addresses, BARs too (VT-d 11.4.2, MGAW: "at least equal to the physical addressability").
void judge_aperture(const HostFacts& host, const Range<Iova>& range, const TargetName& name, Findings& findings) {
  if (host.least_iommu_bits == 0 || range.last() <= reach_of(host.least_iommu_bits)) return;
  findings.report(Code::beyond_iommu_aperture, range.last() > reach_of(host.most_iommu_bits), [&]() -> Finding {
    return {.where = name.to_string(),
            .observed = fmt::format("its bus address {:#x} is beyond the {} bits that {} translates", range.begin.value,
                                    host.least_iommu_bits,
                                    host.least_iommu_bits == host.most_iommu_bits ? "the IOMMU" : "a unit of the IOMMU"),
            .needed = "a bus address that VFIO maps: on a switch route it is the cookie",
            .remedy = "",
            .isolation = ""};
  });
}

// On a switch route the cookie is the bus address itself: the initiator's DMA engine must reach the range's last byte, and the
// IOMMU must let it be mapped there too.
void judge_bus_address(const PathQuestion& question, const Bar& bar, const TargetName& name, unsigned address_bits,
                       Findings& findings) {
  if (!bar.bus_address) return doubt_bus_address(name, findings);
  judge_way_up(question, bar, name, findings);
  const auto& initiator = *question.initiator.function;
  const auto first = bar.bus_address->value + name.offset.value;
  const auto range = make_range(Iova{first}, length_of(bar, name));
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
  judge_aperture(question.machine.host(), *range, name, findings);
  doubt_unread_regions(question.machine, initiator, *range, name, findings);
}

// An initiator with ATS asks the IOMMU for every address, a bus address too, and sends what it is answered. Where it could not
// be read whether it has, it may: an operator's trust in its firmware says nothing of where requests go.
void judge_translated(const Function& initiator, const Bar& bar, const PathQuestion& question, Findings& findings) {
  const auto once_lent = initiator.ats_once_lent();
  if (once_lent == false) return;
  const bool is_read = once_lent.has_value();
  const auto where = initiator.address.to_string();
  const auto* ats = is_read ? "ATS is enabled" : "it could not be read whether ATS is enabled";
  const auto* remedy = is_read ? "pci=noats" : "sudo lspci -xxxx";
  if (question.directions.translated != Answer::yes) {
    findings.report(Code::translation_blocked, is_read && question.directions.translated == Answer::no, [&]() -> Finding {
      return {.where = where,
              .observed = fmt::format("{}, and requests with translated addresses do not get there, or may not", ats),
              .needed = "ports that let them pass (no Translation Blocking), or ATS off",
              .remedy = remedy,
              .isolation = ""};
    });
    return;
  }
  // What the IOMMU answers with is an address of the CPU's: where buses have others, somebody on the way may answer to it.
  const bool is_elsewhere = bar.cpu_address && bar.bus_address && bar.cpu_address->value != bar.bus_address->value;
  const bool is_switched = question.expected == Route::switched;
  if (!is_switched && (question.expected != Route::root_complex || !is_elsewhere)) return;
  findings.report(Code::ats_bus_address, is_switched && is_read && is_elsewhere, [&]() -> Finding {
    return {.where = where,
            .observed = is_switched ? fmt::format("{}: it has the bus address translated once more, and whether the IOMMU gives "
                                                  "the same one back is not known",
                                                  ats)
                                    : fmt::format("{}: it sends the address {:#x}, as the CPU has it; the bus has {:#x}", ats,
                                                  bar.cpu_address->value, bar.bus_address->value),
            .needed = is_switched ? "ATS off on a switch route" : "one address for both, or ATS off",
            .remedy = remedy,
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

// In whole pages, which is what the IOMMU maps.
bool has_room(const std::vector<Range<Iova>>& taken, std::uint64_t reach, std::uint64_t length) {
  std::uint64_t from = 0;
  for (const auto& range : taken) {
    const auto page = range.begin.value & ~(page_size.value - 1);
    if (page > from && std::min(page - 1, reach) - from >= length - 1 && from <= reach) return true;
    if (range.last() >= reach) return false;
    from = std::max(from, (range.last() & ~(page_size.value - 1)) + page_size.value);
    if (from > reach) return false;
  }
  return reach - from >= length - 1;
}

void judge_room(const PathQuestion& question, const Bar& bar, const TargetName& name, unsigned address_bits, Findings& findings) {
  const auto reach = reach_of(address_bits);
  if (has_room(answered_before_the_root(question.machine, question.initiator), reach, length_of(bar, name).value)) return;
  findings.block(Code::iova_window_collision, [&]() -> Finding {
    return {.where = question.initiator.function->address.to_string(),
            .observed = fmt::format("up to {:#x}, as far as the initiator reaches, windows of bridges, BARs and reserved regions "
                                    "leave no {:#x} bytes in one piece",
                                    reach, length_of(bar, name).value),
            .needed = "addresses that nobody before the IOMMU answers to",
            .remedy = "",
            .isolation = ""};
  });
}

// With SME AMD's page tables are written with the bit that says "encrypted" for all that nobody calls MMIO: requests go
// elsewhere. VFIO's type1 calls no BAR so, up to Linux 7.3 (drivers/iommu/generic_pt/fmt/amdv1.h, vfio_iommu_type1.c).
void judge_encryption(const HostFacts& host, const TargetName& name, Findings& findings) {
  // Nobody tells a dump, and kernels do not encrypt unless they are told to.
  if (host.memory_encryption == Tristate::no || (host.memory_encryption == Tristate::unknown && !host.is_live)) return;
  findings.doubt(Code::memory_encryption, [&]() -> Finding {
    return {.where = name.to_string(),
            .observed = host.memory_encryption == Tristate::yes
                            ? "memory encryption (SME) is active: the kernel may map BARs as if they were encrypted memory"
                            : "it could not be read whether memory encryption (SME) is active",
            .needed = "memory encryption off",
            .remedy = "mem_encrypt=off",
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
  if (question.expected == Route::switched) return judge_bus_address(question, *bar, name, address_bits, findings);
  if (question.expected == Route::root_complex) judge_encryption(question.machine.host(), name, findings);
  const bool is_below_bridges = question.target.way.size() > 1;
  if (!bar->bus_address && is_below_bridges && question.expected == Route::root_complex) doubt_bus_address(name, findings);
  if (address_bits < 64) judge_room(question, *bar, name, address_bits, findings);  // with all 64 there is always room
}

}  // namespace p2pd
