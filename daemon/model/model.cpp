// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstring>

#include "model/access.h"
#include "model/function.h"
#include "model/machine.h"
#include "model/reason.h"

namespace p2pd {

tl::unexpected<Reason> refuse_errno(std::string what, int error) {
  return refuse(ErrorCode::failed, std::move(what) + ": " + std::strerror(error));  // NOLINT(concurrency-mt-unsafe): glibc's is
}

std::string to_string(Access access) {
  switch (access) {
    case Access::read: return "r";
    case Access::write: return "w";
    case Access::read_write: return "rw";
  }
  return "";
}

std::optional<Access> parse_access(std::string_view text) {
  for (const auto access : {Access::read, Access::write, Access::read_write})
    if (text == to_string(access)) return access;
  return std::nullopt;
}

const Bar* Function::find_bar(unsigned index) const {
  const auto found = std::find_if(bars.begin(), bars.end(), [&](const Bar& bar) { return bar.index == index; });
  return found == bars.end() ? nullptr : &*found;
}

// The IOMMU driver switches ATS on when it attaches a translating domain, as VFIO makes it do. In an identity domain it may
// leave it off until then: of Intel's in legacy mode only the former calls iommu_enable_pci_caps()
// (drivers/iommu/intel/iommu.c). In a domain of type DMA or DMA-FQ it has had its chance.
std::optional<bool> Function::ats_once_lent() const {
  if (!ats_enabled) return port_type == PortType::conventional ? std::optional(false) : std::nullopt;
  const bool is_translated = iommu_type == "DMA" || iommu_type == "DMA-FQ";
  if (!*ats_enabled && has_ats && !is_translated) return std::nullopt;
  return ats_enabled;
}

Machine::Machine(HostFacts host, std::vector<Function> functions) : host_(std::move(host)), functions_(std::move(functions)) {
  // Later ones first among equals, so that unique() keeps the newest reading.
  std::reverse(functions_.begin(), functions_.end());
  std::stable_sort(functions_.begin(), functions_.end(),
                   [](const Function& a, const Function& b) { return a.address < b.address; });
  const auto same = [](const Function& a, const Function& b) { return a.address == b.address; };
  functions_.erase(std::unique(functions_.begin(), functions_.end(), same), functions_.end());
  addresses_.reserve(functions_.size());
  for (const auto& function : functions_) {
    if (function.iommu_group) groups_.emplace_back(*function.iommu_group, static_cast<std::uint32_t>(addresses_.size()));
    addresses_.push_back(function.address);
  }
  std::sort(groups_.begin(), groups_.end());
  for (std::size_t i = 0; i < functions_.size(); ++i)
    if (const auto above = address_above(functions_[i])) children_.emplace_back(*above, static_cast<std::uint32_t>(i));
  std::sort(children_.begin(), children_.end());
}

// pci_upstream_bridge(): above a VF is what is above its PF.
std::optional<Address> Machine::address_above(const Function& function) const {
  if (function.physical_function)
    if (const auto* physical = find(*function.physical_function)) return physical->parent;
  return function.parent;
}

const Function* Machine::find(const Address& address) const {
  const auto found = std::lower_bound(addresses_.begin(), addresses_.end(), address);
  if (found == addresses_.end() || *found != address) return nullptr;
  return &functions_[static_cast<std::size_t>(found - addresses_.begin())];
}

const Function* Machine::first_on_bus(std::uint32_t domain, std::uint8_t bus) const {
  const auto found = std::lower_bound(addresses_.begin(), addresses_.end(), Address{domain, bus, 0, 0});
  if (found == addresses_.end() || found->domain != domain || found->bus != bus) return nullptr;
  return &functions_[static_cast<std::size_t>(found - addresses_.begin())];
}

std::vector<const Function*> Machine::functions_of_group(std::uint32_t iommu_group) const {
  std::vector<const Function*> members;
  for (auto entry = std::lower_bound(groups_.begin(), groups_.end(), std::pair{iommu_group, std::uint32_t{0}});
       entry != groups_.end() && entry->first == iommu_group; ++entry)
    members.push_back(&functions_[entry->second]);
  return members;
}

std::vector<const Function*> Machine::children_of(const Address& bridge) const {
  std::vector<const Function*> children;
  for (auto entry = std::lower_bound(children_.begin(), children_.end(), std::pair{bridge, std::uint32_t{0}});
       entry != children_.end() && entry->first == bridge; ++entry)
    children.push_back(&functions_[entry->second]);
  return children;
}

std::span<const Function> Machine::functions_on_bus(std::uint32_t domain, std::uint8_t bus) const {
  const auto first = std::lower_bound(addresses_.begin(), addresses_.end(), Address{domain, bus, 0, 0});
  const auto last = std::upper_bound(first, addresses_.end(), Address{domain, bus, 0xff, 0xff});
  return std::span(functions_)
      .subspan(static_cast<std::size_t>(first - addresses_.begin()), static_cast<std::size_t>(last - first));
}

const Function* Machine::bridge_above(const Function& function) const {
  const auto above = address_above(function);
  return above ? find(*above) : nullptr;
}

std::string to_string(PortType type) {
  switch (type) {
    case PortType::conventional: return "conventional";
    case PortType::endpoint: return "endpoint";
    case PortType::legacy_endpoint: return "legacy-endpoint";
    case PortType::root_port: return "root-port";
    case PortType::switch_upstream: return "switch-upstream";
    case PortType::switch_downstream: return "switch-downstream";
    case PortType::pcie_to_pci_bridge: return "pcie-to-pci-bridge";
    case PortType::pci_to_pcie_bridge: return "pci-to-pcie-bridge";
    case PortType::root_complex_endpoint: return "root-complex-endpoint";
    case PortType::root_complex_event_collector: return "root-complex-event-collector";
    case PortType::unknown: break;
  }
  return "unknown";
}

std::string to_string(PowerState state) {
  switch (state) {
    case PowerState::d0: return "D0";
    case PowerState::d1: return "D1";
    case PowerState::d2: return "D2";
    case PowerState::d3hot: return "D3hot";
    case PowerState::d3cold: return "D3cold";
    case PowerState::unknown: break;
  }
  return "unknown";
}

}  // namespace p2pd
