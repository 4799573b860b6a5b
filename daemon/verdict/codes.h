// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The codes of all blockers in one place: what docs/verdict.md explains, and nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "verdict/verdict.h"

namespace p2pd {

enum class Code : std::uint8_t {
  // the request
  function_not_found,
  same_function,
  is_bridge,
  bar_missing,
  not_memory_bar,
  bar_unassigned,
  range_misaligned,
  range_outside_bar,
  holds_msix,
  // the route
  different_domain,
  virtual_topology,
  acs_redirect_no_root_complex,
  acs_unknown,
  root_complex_unknown,
  different_host_bridge,
  root_complex_refuses,
  reads_not_forwarded,
  egress_control,
  no_internal_route,
  upstream_forwarding_off,
  translation_blocked,
  mps_mismatch,
  ten_bit_tags,
  bridge_bus_master_off,
  bridge_decode_off,
  link_down_trained,
  // the address
  beyond_dma_mask,
  beyond_iommu_aperture,
  bus_address_unknown,
  reserved_region,
  ats_bus_address,
  iova_window_collision,
  bar_not_routed,
  // the description
  described_no,
  described_unknown,
  // the machine
  iommu_off,
  iommu_unknown,
  memory_encryption,
  vfio_missing,
  unsafe_interrupts,
  // the functions
  config_unreadable,
  no_iommu_group,
  no_iommu,
  same_iommu_group,
  group_not_viable,
  initiator_not_on_vfio_pci,
  target_not_on_vfio_pci,
  memory_decode_off,
  asleep,
  bus_master_off,
  ats_enabled,
  reserved_region_direct,
  pf_with_vfs,
  pf_on_vfio_pci,
};

struct CodeFacts {
  Code code;
  std::string_view name;
  Severity severity;
};

[[nodiscard]] std::span<const CodeFacts> all_codes();
[[nodiscard]] const CodeFacts& facts_of(Code code);

// What a rule read and what it wanted; code and severity come from the table.
struct Finding {
  std::string where;
  std::string observed;
  std::string needed;
  std::string remedy;
  std::string isolation;
};

[[nodiscard]] Blocker blocked(Code code, Finding finding);
// What was needed to decide could not be read: not a no, but never a yes.
[[nodiscard]] Blocker undecided(Code code, Finding finding);

}  // namespace p2pd
