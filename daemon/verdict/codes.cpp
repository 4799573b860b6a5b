// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/codes.h"

#include <array>

namespace p2pd {

namespace {

constexpr std::array table{
    CodeFacts{Code::function_not_found, "function-not-found", Severity::block},
    CodeFacts{Code::same_function, "same-function", Severity::block},
    CodeFacts{Code::is_bridge, "is-bridge", Severity::block},
    CodeFacts{Code::bar_missing, "bar-missing", Severity::block},
    CodeFacts{Code::not_memory_bar, "not-memory-bar", Severity::block},
    CodeFacts{Code::bar_unassigned, "bar-unassigned", Severity::block},
    CodeFacts{Code::range_misaligned, "range-misaligned", Severity::block},
    CodeFacts{Code::range_outside_bar, "range-outside-bar", Severity::block},
    CodeFacts{Code::holds_msix, "holds-msix", Severity::setup},
    CodeFacts{Code::different_domain, "different-domain", Severity::block},
    CodeFacts{Code::virtual_topology, "virtual-topology", Severity::block},
    CodeFacts{Code::acs_redirect_no_root_complex, "acs-redirect-no-root-complex", Severity::block},
    CodeFacts{Code::acs_unknown, "acs-unknown", Severity::block},
    CodeFacts{Code::root_complex_unknown, "root-complex-unknown", Severity::block},
    CodeFacts{Code::different_host_bridge, "different-host-bridge", Severity::block},
    CodeFacts{Code::root_complex_refuses, "root-complex-refuses", Severity::block},
    CodeFacts{Code::reads_not_forwarded, "reads-not-forwarded", Severity::block},
    CodeFacts{Code::egress_control, "egress-control", Severity::block},
    CodeFacts{Code::no_internal_route, "no-internal-route", Severity::block},
    CodeFacts{Code::upstream_forwarding_off, "upstream-forwarding-off", Severity::block},
    CodeFacts{Code::translation_blocked, "translation-blocked", Severity::block},
    CodeFacts{Code::mps_mismatch, "mps-mismatch", Severity::block},
    CodeFacts{Code::ten_bit_tags, "ten-bit-tags", Severity::setup},
    CodeFacts{Code::bridge_bus_master_off, "bridge-bus-master-off", Severity::setup},
    CodeFacts{Code::bridge_decode_off, "bridge-decode-off", Severity::setup},
    CodeFacts{Code::link_down_trained, "link-down-trained", Severity::limit},
    CodeFacts{Code::beyond_dma_mask, "beyond-dma-mask", Severity::block},
    CodeFacts{Code::beyond_iommu_aperture, "beyond-iommu-aperture", Severity::block},
    CodeFacts{Code::bus_address_unknown, "bus-address-unknown", Severity::block},
    CodeFacts{Code::reserved_region, "reserved-region", Severity::block},
    CodeFacts{Code::ats_bus_address, "ats-bus-address", Severity::block},
    CodeFacts{Code::iova_window_collision, "iova-window-collision", Severity::block},
    CodeFacts{Code::bar_not_routed, "bar-not-routed", Severity::block},
    CodeFacts{Code::described_no, "described-no", Severity::block},
    CodeFacts{Code::described_unknown, "described-unknown", Severity::block},
    CodeFacts{Code::iommu_off, "iommu-off", Severity::block},
    CodeFacts{Code::iommu_unknown, "iommu-unknown", Severity::block},
    CodeFacts{Code::memory_encryption, "memory-encryption", Severity::block},
    CodeFacts{Code::vfio_missing, "vfio-missing", Severity::setup},
    CodeFacts{Code::unsafe_interrupts, "unsafe-interrupts", Severity::setup},
    CodeFacts{Code::config_unreadable, "config-unreadable", Severity::block},
    CodeFacts{Code::no_iommu_group, "no-iommu-group", Severity::block},
    CodeFacts{Code::no_iommu, "no-iommu", Severity::block},
    CodeFacts{Code::same_iommu_group, "same-iommu-group", Severity::block},
    CodeFacts{Code::group_not_viable, "group-not-viable", Severity::setup},
    CodeFacts{Code::initiator_not_on_vfio_pci, "initiator-not-on-vfio-pci", Severity::setup},
    CodeFacts{Code::target_not_on_vfio_pci, "target-not-on-vfio-pci", Severity::setup},
    CodeFacts{Code::memory_decode_off, "memory-decode-off", Severity::setup},
    CodeFacts{Code::asleep, "asleep", Severity::setup},
    CodeFacts{Code::bus_master_off, "bus-master-off", Severity::limit},
    CodeFacts{Code::ats_enabled, "ats-enabled", Severity::setup},
    CodeFacts{Code::reserved_region_direct, "reserved-region-direct", Severity::block},
    CodeFacts{Code::pf_with_vfs, "pf-with-vfs", Severity::setup},
    CodeFacts{Code::pf_on_vfio_pci, "pf-on-vfio-pci", Severity::setup},
};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (static_cast<std::size_t>(table.at(i).code) != i) return false;
  return true;
}
static_assert(is_in_order(), "facts_of() indexes the table by code");

}  // namespace

std::span<const CodeFacts> all_codes() { return table; }

const CodeFacts& facts_of(Code code) { return table.at(static_cast<std::size_t>(code)); }

Blocker blocked(Code code, Finding finding) {
  const auto& facts = facts_of(code);
  return {.code = std::string(facts.name),
          .severity = facts.severity,
          .is_certain = true,
          .where = std::move(finding.where),
          .observed = std::move(finding.observed),
          .needed = std::move(finding.needed),
          .remedy = std::move(finding.remedy),
          .isolation = std::move(finding.isolation)};
}

Blocker undecided(Code code, Finding finding) {
  auto blocker = blocked(code, std::move(finding));
  blocker.is_certain = false;
  return blocker;
}

}  // namespace p2pd
