// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "verdict/codes.h"
#include "verdict/conditions.h"

namespace p2pd {

namespace {

// Ranges within one BAR; a type of their own would be used nowhere else.
using Span = Range<BusAddress>;

std::optional<Span> span(std::uint64_t offset, std::uint64_t length) { return make_range(BusAddress{offset}, Bytes{length}); }

// Whole pages: that is what an IOMMU maps.
std::optional<Span> pages_around(Bytes offset, Bytes length) {
  const auto begin = offset.value / page_size.value * page_size.value;
  const auto range = span(offset.value, length.value);
  if (!range) return std::nullopt;
  const auto end = range->last() / page_size.value * page_size.value + (page_size.value - 1);
  return span(begin, end - begin + 1);
}

std::vector<Span> msix_pages(const MsixLocation& msix, unsigned bar) {
  std::vector<Span> pages;
  const auto add = [&](std::uint8_t where, Bytes offset, Bytes length) {
    const auto found = where == bar ? pages_around(offset, length) : std::nullopt;
    if (found) pages.push_back(*found);
  };
  add(msix.table_bar, msix.table_offset, msix.table_length);
  add(msix.pba_bar, msix.pba_offset, msix.pba_length);
  std::sort(pages.begin(), pages.end());
  return pages;
}

// The largest run of whole pages of the BAR without these.
std::optional<Span> largest_gap(Bytes size, const std::vector<Span>& taken) {
  std::optional<Span> best;
  std::uint64_t from = 0;
  const auto consider = [&](std::uint64_t to) {
    if (to <= from) return;
    const auto length = (to - from) / page_size.value * page_size.value;
    if (length > (best ? best->length.value : 0)) best = span(from, length);
  };
  for (const auto& pages : taken) {
    consider(std::min(pages.begin.value, size.value));
    from = std::max(from, pages.last() + 1);
  }
  consider(size.value);
  return best;
}

void judge_msix(const Function& target, const Bar& bar, const TargetName& name, const Span& range,
                std::vector<Blocker>& blockers) {
  if (!target.msix) {
    if (!target.has_unread_capabilities) return;
    blockers.push_back(undecided(Code::holds_msix, {.where = name.to_string(),
                                                    .observed = "where its MSI-X table is could not be read",
                                                    .needed = "a range without it: who writes there sends interrupts at will",
                                                    .remedy = "sudo lspci -xxxx",
                                                    .isolation = ""}));
    return;
  }
  const auto pages = msix_pages(*target.msix, name.bar);
  const auto hit = std::find_if(pages.begin(), pages.end(), [&](const Span& span) { return span.overlaps(range); });
  if (hit == pages.end()) return;
  const auto gap = largest_gap(bar.size, pages);
  const TargetName other{name.device, name.bar, Bytes{gap ? gap->begin.value : 0}, gap ? gap->length : Bytes{}};
  blockers.push_back(blocked(
      Code::holds_msix,
      {.where = name.to_string(),
       .observed = fmt::format("the MSI-X table or its pending bits are at {:#x}+{:#x}", hit->begin.value, hit->length.value),
       .needed = "a range without these pages: who writes there sends interrupts at will",
       .remedy = gap ? "p2p-client enable " + other.to_string() : "",
       .isolation = ""}));
}

void judge_extent(const Function& target, const Bar& bar, const TargetName& name, std::vector<Blocker>& blockers) {
  const auto size = bar.size.value;
  const auto length = name.length.value != 0 ? name.length.value : size - std::min(size, name.offset.value);
  if (size == 0) {
    blockers.push_back(undecided(Code::range_outside_bar, {.where = name.to_string(),
                                                           .observed = "the size of the BAR is not known",
                                                           .needed = "it: a range within the BAR, without its MSI-X table",
                                                           .remedy = "sudo lspci -vxxxx",
                                                           .isolation = ""}));
    return;
  }
  const auto range = span(name.offset.value, length);
  if (!range || range->last() >= size) {
    blockers.push_back(blocked(Code::range_outside_bar, {.where = name.to_string(),
                                                         .observed = fmt::format("BAR {} has {:#x} bytes", name.bar, size),
                                                         .needed = "a range within the BAR",
                                                         .remedy = "",
                                                         .isolation = ""}));
  }
  if (!is_page_aligned(name.offset.value) || !is_page_aligned(length)) {
    blockers.push_back(blocked(Code::range_misaligned,
                               {.where = name.to_string(),
                                .observed = fmt::format("offset {:#x}, length {:#x}", name.offset.value, length),
                                .needed = fmt::format("multiples of {} bytes: the IOMMU maps whole pages", page_size.value),
                                .remedy = "",
                                .isolation = ""}));
  }
  if (range) judge_msix(target, bar, name, *range, blockers);
}

}  // namespace

void judge_range(const Function& target, const TargetName& name, std::vector<Blocker>& blockers) {
  const auto* bar = target.find_bar(name.bar);
  const auto where = fmt::format("{}:{}", name.device.to_string(), name.bar);
  if (bar == nullptr) {
    blockers.push_back(blocked(Code::bar_missing, {.where = where,
                                                   .observed = fmt::format("the function has no BAR {}", name.bar),
                                                   .needed = "a memory BAR",
                                                   .remedy = "p2p-client show " + name.device.to_string(),
                                                   .isolation = ""}));
    return;
  }
  if (!bar->is_memory) {
    blockers.push_back(blocked(Code::not_memory_bar, {.where = where,
                                                      .observed = "I/O ports",
                                                      .needed = "a memory BAR: peers send memory requests only",
                                                      .remedy = "p2p-client show " + name.device.to_string(),
                                                      .isolation = ""}));
    return;
  }
  if (!bar->is_assigned) {
    blockers.push_back(blocked(Code::bar_unassigned, {.where = where,
                                                      .observed = "the BAR has no address",
                                                      .needed = "an address from firmware or kernel",
                                                      .remedy = "pci=realloc",
                                                      .isolation = ""}));
  }
  judge_extent(target, *bar, name, blockers);
}

}  // namespace p2pd
