// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What holds for every IovaSpace, whatever is valid, forbidden and asked for.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <bit>

#include "mapping/iova.h"

namespace p2pd {
namespace {

// Ranges that meet: small numbers of pages spread over some magnitudes, ends of the address space included.
Range<Iova> any_range() {
  const auto shift = *rc::gen::inRange(12, 61);
  const auto begin = *rc::gen::inRange<std::uint64_t>(0, 8) << shift;
  const auto length = *rc::gen::inRange<std::uint64_t>(1, std::uint64_t{1} << (shift - 11));
  const auto odd = *rc::gen::element<std::uint64_t>(0, 0, 1, 0x800);
  return make_range(Iova{begin + odd}, Bytes{length * 1024}).value_or(Range<Iova>{Iova{begin}, Bytes{4096}});
}

std::vector<Range<Iova>> any_ranges(int least, int most) {
  std::vector<Range<Iova>> ranges(static_cast<std::size_t>(*rc::gen::inRange(least, most)));
  std::generate(ranges.begin(), ranges.end(), any_range);
  return ranges;
}

Bytes any_length() {
  return Bytes{*rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(1, 64), rc::gen::inRange<std::uint64_t>(1, 1 << 20)) * 4096};
}

// Mostly what real IOMMUs have: a large aperture, and something beside it.
std::vector<Range<Iova>> any_valid() {
  auto ranges = any_ranges(1, 5);
  if (*rc::gen::inRange(0, 4) != 0) ranges.push_back({Iova{0}, Bytes{std::uint64_t{1} << *rc::gen::inRange(30, 58)}});
  return ranges;
}

struct World {
  std::vector<Range<Iova>> valid = any_valid();
  std::vector<Range<Iova>> forbidden = any_ranges(0, 6);
  unsigned address_bits = *rc::gen::oneOf(rc::gen::inRange(20U, 65U), rc::gen::inRange(32U, 65U));
  IovaSpace space{valid, forbidden, address_bits};

  [[nodiscard]] bool is_reachable(std::uint64_t address) const { return address_bits == 64 || address >> address_bits == 0; }
  [[nodiscard]] bool is_valid(const Range<Iova>& range) const {
    // Each page on its own: valid ranges may touch.
    for (auto page = range.begin.value; page < range.last();
         page += page_size.value * std::max<std::uint64_t>(1, range.length.value / 4096 / 16))
      if (std::none_of(valid.begin(), valid.end(),
                       [&](const auto& whole) { return whole.begin.value <= page && page <= whole.last(); }))
        return false;
    return true;
  }
  [[nodiscard]] bool is_forbidden(const Range<Iova>& range) const {
    return std::any_of(forbidden.begin(), forbidden.end(), [&](const auto& window) { return window.overlaps(range); });
  }
};

RC_GTEST_PROP(IovaSpaceProperties, TakesOnlyWhatIsFreeValidAlignedAndWithinReach, ()) {
  World world;
  std::vector<Range<Iova>> taken;
  const auto count = *rc::gen::inRange(1, 12);
  for (int index = 0; index < count; ++index) {
    const auto length = any_length();
    const auto range = world.space.take(length);
    if (!range) continue;
    RC_ASSERT(range->length == length);
    RC_ASSERT(std::none_of(taken.begin(), taken.end(), [&](const auto& other) { return other.overlaps(*range); }));
    RC_ASSERT(!world.is_forbidden(*range));
    RC_ASSERT(world.is_valid(*range));
    RC_ASSERT(world.is_reachable(range->last()));
    RC_ASSERT(range->begin.value % page_size.value == 0);
    taken.push_back(*range);
  }
  RC_CLASSIFY(!taken.empty(), "took something");
  std::sort(taken.begin(), taken.end());
  RC_ASSERT(taken == world.space.taken());
}

RC_GTEST_PROP(IovaSpaceProperties, GivingBackRestoresTheSpace, ()) {
  World world;
  const auto first = any_length();
  static_cast<void>(world.space.take(first));
  const auto before = world.space.taken();
  const auto length = any_length();
  const auto range = world.space.take(length);
  RC_CLASSIFY(range.has_value(), "took something");
  if (!range) {
    RC_ASSERT(world.space.taken() == before);
    return;
  }
  world.space.give_back(*range);
  RC_ASSERT(world.space.taken() == before);
  RC_ASSERT(world.space.take(length).value() == *range);
}

RC_GTEST_PROP(IovaSpaceProperties, AFixedAddressIsTakenExactlyOrNotAtAll, ()) {
  World world;
  static_cast<void>(world.space.take(any_length()));
  const auto before = world.space.taken();
  const Range<Iova> wanted{Iova{any_range().begin.value & ~std::uint64_t{0xfff}}, any_length()};
  RC_PRE(make_range(wanted.begin, wanted.length).has_value());
  const auto range = world.space.take_at(wanted, false);
  if (range) {
    RC_ASSERT(*range == wanted);
    RC_ASSERT(!world.is_forbidden(wanted));
    RC_ASSERT(world.is_valid(wanted));
    RC_ASSERT(world.is_reachable(wanted.last()));
    RC_ASSERT(std::none_of(before.begin(), before.end(), [&](const auto& other) { return other.overlaps(wanted); }));
    RC_ASSERT(world.space.take_at(wanted, true).error().code == ErrorCode::busy);
  } else {
    RC_ASSERT(world.space.taken() == before);
  }
}

RC_GTEST_PROP(IovaSpaceProperties, FindsRoomWheneverAWholeAlignedRangeIsFree, ()) {
  // One page at a time, so that alignment is no excuse: everything that is left must be found.
  const auto pages = *rc::gen::inRange<std::uint64_t>(1, 40);
  const auto begin = *rc::gen::inRange<std::uint64_t>(0, 1000) * 4096;
  IovaSpace space({{Iova{begin}, Bytes{pages * 4096}}}, {}, 64);
  for (std::uint64_t page = 0; page < pages; ++page) RC_ASSERT(space.take(Bytes{4096}).has_value());
  RC_ASSERT(!space.take(Bytes{4096}).has_value());
}

}  // namespace
}  // namespace p2pd
