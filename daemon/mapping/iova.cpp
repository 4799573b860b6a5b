// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/iova.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

namespace p2pd {

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;
constexpr std::uint64_t address_end = std::numeric_limits<std::uint64_t>::max();

struct Zone {
  std::uint64_t first;
  std::uint64_t last;
};

// In the order of preference; each is filled from its top.
constexpr std::array<Zone, 5> zones{{
    // What every IOMMU translates (39 bits is the least of VT-d) and nearly every device can emit. From the top it is clear
    // of RAM on most machines, and of user addresses (programs and heaps are below 4 GiB or above 2^46).
    {4 * gibibyte, (std::uint64_t{1} << 39) - 1},
    {std::uint64_t{1} << 39, (std::uint64_t{1} << 46) - 1},
    // For initiators that reach no further.
    {mebibyte, 4 * gibibyte - 1},
    {std::uint64_t{1} << 46, address_end},
    // What lies across these, and the first MiB, only when nothing else is within reach: a null pointer in a device's
    // descriptor should fault.
    {0, address_end},
}};

std::uint64_t reach_of(unsigned address_bits) {
  return address_bits >= 64 ? address_end : (std::uint64_t{1} << address_bits) - 1;
}

const Range<Iova>* first_overlap(const std::vector<Range<Iova>>& sorted_and_disjoint, const Range<Iova>& range) {
  const auto found = std::lower_bound(sorted_and_disjoint.begin(), sorted_and_disjoint.end(), range.begin.value,
                                      [](const Range<Iova>& taken, std::uint64_t begin) { return taken.last() < begin; });
  return found != sorted_and_disjoint.end() && found->overlaps(range) ? &*found : nullptr;
}

// Whole pages only, at most `last`. Nothing when no page is left.
std::optional<Range<Iova>> whole_pages(const Range<Iova>& range, std::uint64_t last) {
  if (range.length.value == 0) return std::nullopt;
  const auto page_mask = page_size.value - 1;
  if (range.begin.value > address_end - page_mask) return std::nullopt;
  const auto begin = (range.begin.value + page_mask) & ~page_mask;
  const auto inclusive = std::min(range.last(), last);
  // The last page of all is left out: its end does not fit into 64 bits.
  const auto end = (inclusive == address_end ? inclusive : inclusive + 1) & ~page_mask;
  return end > begin ? make_range(Iova{begin}, Bytes{end - begin}) : std::nullopt;
}

std::vector<Range<Iova>> disjoint(std::vector<Range<Iova>> ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::vector<Range<Iova>> result;
  for (const auto& range : ranges) {
    if (range.length.value == 0) continue;
    if (!result.empty() && range.begin.value <= result.back().last()) {
      auto& before = result.back();
      before.length.value = std::max(before.last(), range.last()) - before.begin.value + 1;
    } else {
      result.push_back(range);
    }
  }
  return result;
}

Outcome<void> refuse_odd(const Range<Iova>& range) {
  if (!make_range(range.begin, range.length))
    return refuse(ErrorCode::invalid_argument, "a mapping needs a length, and its end must fit into 64 bits");
  if (!is_page_aligned(range.begin.value) || !is_page_aligned(range.length.value))
    return refuse(ErrorCode::invalid_argument, fmt::format("{:#x}+{:#x} is not aligned to pages of {} bytes", range.begin.value,
                                                           range.length.value, page_size.value));
  return {};
}

}  // namespace

std::optional<Range<Iova>> valid_range(std::uint64_t first, std::uint64_t last) {
  if (last < first) return std::nullopt;
  const auto span = last - first;
  return Range<Iova>{Iova{first}, Bytes{span == std::numeric_limits<std::uint64_t>::max() ? span : span + 1}};
}

std::string text_of(const Range<Iova>& iova) { return fmt::format("IOVA {:#x}+{:#x}", iova.begin.value, iova.length.value); }

IovaSpace::IovaSpace(std::vector<Range<Iova>> valid, std::vector<Range<Iova>> forbidden, unsigned address_bits)
    : forbidden_(disjoint(std::move(forbidden))) {
  const auto reach = reach_of(address_bits);
  for (const auto& range : disjoint(std::move(valid)))
    if (const auto pages = whole_pages(range, reach)) valid_.push_back(*pages);
}

Outcome<Range<Iova>> IovaSpace::take(Bytes length) {
  if (const auto fits = refuse_odd({Iova{0}, length}); !fits) return tl::unexpected(fits.error());
  const auto large_pages = length.value >= gibibyte ? gibibyte : std::bit_ceil(length.value);
  // Large pages are a wish, a place is what was asked for.
  for (const auto& zone : zones) {
    for (const auto alignment : {large_pages, page_size.value}) {
      const auto found = find_free(zone.first, zone.last, length, alignment);
      if (!found) continue;
      taken_.insert(std::upper_bound(taken_.begin(), taken_.end(), *found), *found);
      return *found;
    }
  }
  return refuse(ErrorCode::failed,
                fmt::format("no free IOVA range of {} bytes is within the initiator's reach (address_bits)", length.value));
}

std::optional<Range<Iova>> IovaSpace::find_free(std::uint64_t zone_first, std::uint64_t zone_last, Bytes length,
                                                std::uint64_t alignment) const {
  for (auto valid = valid_.rbegin(); valid != valid_.rend(); ++valid) {
    const auto first = std::max(zone_first, valid->begin.value);
    auto last = std::min(zone_last, valid->last());
    while (last >= first && last - first >= length.value - 1) {
      const Range<Iova> candidate{Iova{(last - (length.value - 1)) & ~(alignment - 1)}, length};
      if (candidate.begin.value < first) break;
      const auto* obstacle = first_overlap(forbidden_, candidate);
      if (obstacle == nullptr) obstacle = first_overlap(taken_, candidate);
      if (obstacle == nullptr) return candidate;
      if (obstacle->begin.value == 0) break;
      last = obstacle->begin.value - 1;
    }
  }
  return std::nullopt;
}

Outcome<Range<Iova>> IovaSpace::take_at(Range<Iova> range, bool ignore_windows) {
  if (const auto fits = refuse_odd(range); !fits) return tl::unexpected(fits.error());
  const auto text = fmt::format("IOVA {:#x}+{:#x}", range.begin.value, range.length.value);
  if (std::none_of(valid_.begin(), valid_.end(), [&](const auto& valid) { return valid.contains(range); }))
    return refuse(ErrorCode::invalid_argument, text + " is outside of what the IOMMU translates or the initiator reaches");
  // The kernel's list of valid ranges has no reserved region in it, so those are out even then.
  if (const auto* window = ignore_windows ? nullptr : first_overlap(forbidden_, range))
    return refuse(ErrorCode::invalid_argument,
                  fmt::format("{} meets {:#x}+{:#x}, a bridge window, a BAR or a reserved region: a switch could turn the "
                              "request before it reaches the IOMMU",
                              text, window->begin.value, window->length.value));
  if (first_overlap(taken_, range) != nullptr) return refuse(ErrorCode::busy, text + " is mapped already");
  taken_.insert(std::upper_bound(taken_.begin(), taken_.end(), range), range);
  return range;
}

void IovaSpace::forbid(std::vector<Range<Iova>> forbidden) { forbidden_ = disjoint(std::move(forbidden)); }

const Range<Iova>* IovaSpace::forbidden_in(const Range<Iova>& range) const { return first_overlap(forbidden_, range); }

void IovaSpace::give_back(Range<Iova> range) {
  const auto found = std::lower_bound(taken_.begin(), taken_.end(), range);
  if (found != taken_.end() && *found == range) taken_.erase(found);
}

}  // namespace p2pd
