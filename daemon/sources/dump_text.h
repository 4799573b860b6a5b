// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The text of `lspci -x`, -xxx or -xxxx, taken apart: for each function its config bytes and what -v says about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/address.h"
#include "model/reason.h"
#include "model/units.h"

namespace p2pd {

// A line of -v or -vv about a BAR.
struct DumpRegion {
  std::optional<unsigned> index;  // -v does not number them
  bool is_memory = true;
  bool is_64bit = false;
  bool is_prefetchable = false;
  bool is_assigned = false;  // the kernel gave it an address
  bool is_in_register =
      false;   // else its register is empty: "<unassigned>"; "<ignored>" is a register that the kernel does not use
  Bytes size;  // 0 = not told
};

struct DumpEntry {
  Address address;
  std::vector<std::uint8_t> config;  // from offset 0, without gaps
  std::vector<DumpRegion> regions;
  std::string driver;
  std::optional<int> numa_node;
  std::optional<std::uint32_t> iommu_group;
};

// Lines that it does not know are passed over, as lspci -F does; a row of bytes that is malformed is an error.
[[nodiscard]] Outcome<std::vector<DumpEntry>> parse_dump_text(std::string_view text);

}  // namespace p2pd
