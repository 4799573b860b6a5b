// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where in an initiator's address space a mapping goes: a pure function over what is valid, reserved and taken.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/machine.h"
#include "model/reason.h"
#include "model/units.h"

namespace p2pd {

// Addresses that must never be handed out: reserved regions of the group, and every bridge window above or beside the
// initiator (with ACS redirect off such an address is switched to a peer and never reaches the IOMMU: design §8).
[[nodiscard]] std::vector<Range<Iova>> forbidden_iovas(const Machine& machine, const Function& initiator);

// What the kernel says can be mapped, `last` included; nothing for a range that ends before it begins. All 64 bits have no
// length in 64 bits: the last byte is left out.
[[nodiscard]] std::optional<Range<Iova>> valid_range(std::uint64_t first, std::uint64_t last);

// "IOVA 0x1000+0x2000", for errors.
[[nodiscard]] std::string text_of(const Range<Iova>& iova);

// The address space of one holding.
class IovaSpace {
 public:
  IovaSpace() = default;
  // `valid`: the container's IOVA ranges. `address_bits`: how far the initiator reaches, 1..64.
  IovaSpace(std::vector<Range<Iova>> valid, std::vector<Range<Iova>> forbidden, unsigned address_bits);

  // Takes a free range, aligned to its own size rounded up to a power of two but at most 1 GiB, so that the IOMMU can
  // use large pages; to pages where no such place is free. Keeps clear of low addresses and of user-address and RAM ranges where
  // it can.
  [[nodiscard]] Outcome<Range<Iova>> take(Bytes length);
  // Takes exactly this range: a cookie that the caller fixed, or the bus address of a switch route
  // (`ignore_windows`: a bus address lies in a bridge window by nature).
  [[nodiscard]] Outcome<Range<Iova>> take_at(Range<Iova> range, bool ignore_windows);
  void give_back(Range<Iova> range);
  // Windows and BARs moved: what is taken stays, nothing new comes out of these.
  void forbid(std::vector<Range<Iova>> forbidden);

  // What of the forbidden `range` meets, if anything.
  [[nodiscard]] const Range<Iova>* forbidden_in(const Range<Iova>& range) const;

  [[nodiscard]] const std::vector<Range<Iova>>& taken() const { return taken_; }

 private:
  [[nodiscard]] std::optional<Range<Iova>> find_free(std::uint64_t zone_first, std::uint64_t zone_last, Bytes length,
                                                     std::uint64_t alignment) const;

  std::vector<Range<Iova>> valid_;      // sorted, reach applied
  std::vector<Range<Iova>> forbidden_;  // sorted
  std::vector<Range<Iova>> taken_;      // sorted
};

}  // namespace p2pd
