// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>

#include "topology/acs.h"
#include "topology/topology.h"
#include "verdict/codes.h"
#include "verdict/conditions.h"

namespace p2pd {

namespace {

constexpr std::string_view vfio_driver = "vfio-pci";

// Of these only a port can be above.
bool has_a_link(const Function& function) {
  return function.port_type == PortType::endpoint || function.port_type == PortType::legacy_endpoint ||
         function.port_type == PortType::switch_upstream || function.port_type == PortType::switch_downstream ||
         function.port_type == PortType::pcie_to_pci_bridge;
}

// Whether somebody on its bus is what only the bus of a root complex has. A conventional function does not say what is above.
bool is_on_a_root_bus(const Machine& machine, const Function& function) {
  const auto& beside = machine.functions_on_bus(function.address.domain, function.address.bus);
  return function.address.bus == 0 || std::any_of(beside.begin(), beside.end(), [](const Function& one) {
           return one.is_host_bridge() || one.port_type == PortType::root_port ||
                  one.port_type == PortType::root_complex_endpoint || one.port_type == PortType::root_complex_event_collector;
         });
}

bool is_on_vfio(const Function& function) { return function.driver == vfio_driver; }

bool is_low_power(PowerState state) {
  return state == PowerState::d1 || state == PowerState::d2 || state == PowerState::d3hot || state == PowerState::d3cold;
}

std::string power_of(const Function& function) {
  return function.is_runtime_suspended ? fmt::format("runtime-suspended, {}", to_string(function.power_state))
                                       : to_string(function.power_state);
}

void judge_driver(const Machine& machine, const Function& function, Code code, std::vector<Blocker>& blockers) {
  if (is_on_vfio(function)) return;
  const auto address = function.address.to_string();
  // A dump need not tell drivers: no name there is no finding.
  const bool is_told = !function.driver.empty() || machine.host().is_live;
  Finding finding{.where = address,
                  .observed = !is_told                  ? "the driver is not known"
                              : function.driver.empty() ? "no driver"
                                                        : "driver " + function.driver,
                  .needed = "driver vfio-pci",
                  .remedy = "p2p-client bind " + address,
                  .isolation = ""};
  blockers.push_back(is_told ? blocked(code, std::move(finding)) : undecided(code, std::move(finding)));
}

Blocker tell_asleep(const Function& function, std::string_view whose) {
  const auto address = function.address.to_string();
  return blocked(Code::asleep, {.where = address,
                                .observed = fmt::format("{}{}", power_of(function), whose),
                                .needed = "D0",
                                .remedy = fmt::format("echo on > /sys/bus/pci/devices/{}/power/control", address),
                                .isolation = ""});
}

// A function on vfio-pci that nobody has opened sleeps, with decode and bus master off: opening it sets all three
// (vfio_pci_core_enable), so they are no reason against it.
void judge_power(const Function& function, FunctionFinding& finding) {
  if (!is_asleep(function)) return;
  const auto address = function.address.to_string();
  if (is_on_vfio(function)) {
    finding.notes.push_back(fmt::format("asleep: {} ({}) is woken when it is opened", address, power_of(function)));
    return;
  }
  finding.blockers.push_back(tell_asleep(function, ""));
}

bool wakes_when_opened(const Function& function) { return is_on_vfio(function) && is_asleep(function); }

void judge_decode(const HostFacts& host, const Function& target, std::vector<Blocker>& blockers) {
  if (target.memory_decode.value_or(true)) return;
  if (target.physical_function) {
    // The command register of a VF has no memory enable bit; it is the PF's: VF MSE, PCIe 6.0 §9.3.3.3.
    const auto physical = target.physical_function->to_string();
    blockers.push_back(blocked(
        Code::memory_decode_off,
        {.where = physical,
         .observed = fmt::format("SR-IOV control of the PF of {}: VF memory space (bit 3) is 0", target.address.to_string()),
         .needed = "1",
         .remedy = host.lockdown == Tristate::yes ? "" : fmt::format("setpci -s {} ECAP_SRIOV+8.w=0008:0008", physical),
         .isolation = ""}));
    return;
  }
  if (wakes_when_opened(target)) return;
  blockers.push_back(blocked(Code::memory_decode_off, {.where = target.address.to_string(),
                                                       .observed = "command register: memory space (bit 1) is 0",
                                                       .needed = "1",
                                                       .remedy = set_command(host, target, 0x0002),
                                                       .isolation = ""}));
}

void judge_bus_master(const HostFacts& host, const Function& initiator, std::vector<Blocker>& blockers) {
  if (initiator.bus_master.value_or(true) || wakes_when_opened(initiator)) return;
  blockers.push_back(blocked(Code::bus_master_off, {.where = initiator.address.to_string(),
                                                    .observed = "command register: bus master (bit 2) is 0",
                                                    .needed = "1; who holds the device sets it in its config space",
                                                    .remedy = set_command(host, initiator, 0x0004),
                                                    .isolation = ""}));
}

void judge_config(const Function& function, std::vector<Blocker>& blockers) {
  // What opening it switches on does not matter while it sleeps; the memory enable of a VF is its PF's.
  const bool will_decode = is_asleep(function) && !function.physical_function;
  const bool is_read = function.port_type != PortType::unknown && (function.memory_decode.has_value() || will_decode);
  if (is_read) return;
  blockers.push_back(undecided(Code::config_unreadable, {.where = function.address.to_string(),
                                                         .observed = "its config space could not be read as a whole",
                                                         .needed = "config space beyond byte 64, read by root",
                                                         .remedy = "sudo lspci -xxxx",
                                                         .isolation = ""}));
}

void judge_ats(const Function& initiator, std::vector<Blocker>& blockers) {
  const auto ats = initiator.ats_once_lent();
  if (ats == false) return;
  Finding finding{.where = initiator.address.to_string(),
                  .observed = "ATS is enabled: the device can claim that an address was translated, and reach any",
                  .needed = "ATS off, or an operator who trusts its firmware",
                  .remedy = "pci=noats",
                  .isolation = ""};
  if (ats) {
    blockers.push_back(blocked(Code::ats_enabled, std::move(finding)));
    return;
  }
  finding.observed = "it could not be read whether ATS is enabled";
  finding.remedy = "sudo lspci -xxxx";
  if (initiator.ats_enabled) {
    finding.observed = fmt::format("ATS is off, and may be switched on when the device is lent: its IOMMU group is of type {}",
                                   initiator.iommu_type.value_or("(not known)"));
    finding.needed = "a group of type DMA or DMA-FQ: what ATS is there, it is once lent; or an operator who trusts its firmware";
    finding.remedy = initiator.iommu_type == "identity"
                         ? "iommu=nopt"
                         : fmt::format("cat /sys/bus/pci/devices/{}/iommu_group/type", finding.where);
  }
  blockers.push_back(undecided(Code::ats_enabled, std::move(finding)));
}

// A bridge that the picture lacks: then the way of a request is not known. A dump may be cut, or a bridge read all ones.
// In a virtual machine the tree is made up, and functions without a bridge are ordinary: who describes it knows the way.
void judge_place(const Machine& machine, const Function& function, std::vector<Blocker>& blockers) {
  if (machine.host().virtualization != "none") return;
  const auto doubt = [&](const Function& node, std::string observed) {
    blockers.push_back(undecided(Code::config_unreadable, {.where = node.address.to_string(),
                                                           .observed = std::move(observed),
                                                           .needed = "every bridge above it, read by root",
                                                           .remedy = "sudo lspci -xxxx",
                                                           .isolation = ""}));
  };
  const auto way = way_up(machine, function);
  for (std::size_t i = 0; i < way.size(); ++i) {
    const auto& node = *way[i];
    const auto bus = node.physical_function ? node.physical_function->bus : node.address.bus;
    if (i + 1 < way.size()) {
      const auto& above = way[i + 1]->bridge;
      if (way[i + 1]->port_type == PortType::switch_upstream && !is_port(node) && node.port_type != PortType::unknown)
        doubt(node,
              fmt::format("it is no port, and {} above it leads to the ports of a switch only", way[i + 1]->address.to_string()));
      if (!above || above->secondary_bus != bus)
        doubt(node, fmt::format("it is on bus {:02x}, and {} above it leads to {}", bus, way[i + 1]->address.to_string(),
                                above ? fmt::format("bus {:02x}", above->secondary_bus) : "none"));
    } else if (node.parent || has_a_link(node) || (!machine.host().is_live && !is_on_a_root_bus(machine, node))) {
      doubt(node, "the bridge above it is not known");
    }
  }
}

// The kernel gives no function with such a region to VFIO: it cannot be cut off from memory (iommu.c require_direct).
// No dump tells: a note says so once.
void judge_reserved_regions(const HostFacts& host, const Function& function, std::vector<Blocker>& blockers) {
  for (const auto& region : function.reserved_regions) {
    if (region.type != "direct") continue;
    blockers.push_back(
        blocked(Code::reserved_region_direct, {.where = function.address.to_string(),
                                               .observed = fmt::format("firmware reserved {:#x}+{:#x} for it (RMRR)",
                                                                       region.range.begin.value, region.range.length.value),
                                               .needed = "no region of type direct",
                                               .remedy = "",
                                               .isolation = ""}));
    return;
  }
  if (!host.is_live || !function.has_unread_regions) return;
  blockers.push_back(undecided(Code::reserved_region_direct, {.where = function.address.to_string(),
                                                              .observed = "its reserved regions could not be read to the end",
                                                              .needed = "no region of type direct",
                                                              .remedy = "",
                                                              .isolation = ""}));
}

void judge_no_iommu(const HostFacts& host, const Function& function, std::vector<Blocker>& blockers) {
  const bool is_told = function.is_without_iommu.has_value();
  if (is_told ? !*function.is_without_iommu : !host.is_live || !function.iommu_group) return;
  Finding finding{.where = function.address.to_string(),
                  .observed = is_told ? "its group is one of VFIO's no-IOMMU mode: nothing limits the device"
                                      : "it could not be read whether its group is one of VFIO's no-IOMMU mode",
                  .needed = "an IOMMU that covers it",
                  .remedy = "",
                  .isolation = ""};
  blockers.push_back(is_told ? blocked(Code::no_iommu, std::move(finding)) : undecided(Code::no_iommu, std::move(finding)));
}

void judge_vf(const Machine& machine, const Function& function, std::vector<Blocker>& blockers) {
  const auto* physical = function.physical_function ? machine.find(*function.physical_function) : nullptr;
  if (physical == nullptr) return;
  // Opening a VF does not wake its PF, and without the PF in D0 a VF answers nothing.
  if (is_asleep(*physical)) blockers.push_back(tell_asleep(*physical, ", the PF of " + function.address.to_string()));
  if (!is_on_vfio(*physical)) return;
  blockers.push_back(
      blocked(Code::pf_on_vfio_pci, {.where = function.address.to_string(),
                                     .observed = fmt::format("its PF {} is on vfio-pci", physical->address.to_string()),
                                     .needed = "a PF on its own driver: else a VF is opened with a token only",
                                     .remedy = "p2p-client unbind " + physical->address.to_string(),
                                     .isolation = ""}));
}

// Says whether there is more to judge.
bool judge_both(const Machine& machine, const Function& function, Code not_on_vfio, FunctionFinding& finding) {
  if (function.is_bridge() || function.is_host_bridge()) {
    finding.blockers.push_back(
        blocked(Code::is_bridge, {.where = function.address.to_string(),
                                  .observed = function.is_bridge() ? fmt::format("a bridge ({})", to_string(function.port_type))
                                                                   : "a host bridge (class 0600): the root complex itself",
                                  .needed = "an endpoint: bridges neither send nor receive for others",
                                  .remedy = "",
                                  .isolation = ""}));
    return false;
  }
  judge_config(function, finding.blockers);
  judge_place(machine, function, finding.blockers);
  judge_driver(machine, function, not_on_vfio, finding.blockers);
  judge_power(function, finding);
  judge_reserved_regions(machine.host(), function, finding.blockers);
  judge_vf(machine, function, finding.blockers);
  if (machine.host().iommu == Tristate::yes && machine.host().is_live && !function.iommu_group) {
    finding.blockers.push_back(blocked(Code::no_iommu_group, {.where = function.address.to_string(),
                                                              .observed = "in no IOMMU group",
                                                              .needed = "an IOMMU that covers it",
                                                              .remedy = "",
                                                              .isolation = ""}));
  }
  judge_no_iommu(machine.host(), function, finding.blockers);
  return true;
}

}  // namespace

bool is_asleep(const Function& function) { return function.is_runtime_suspended || is_low_power(function.power_state); }

std::string set_command(const HostFacts& host, const Function& function, std::uint16_t bits) {
  const auto address = function.address.to_string();
  // Locked down, the kernel writes config space for nobody, but it still enables devices (drivers/pci/pci-sysfs.c).
  if (host.lockdown == Tristate::yes) return fmt::format("echo 1 > /sys/bus/pci/devices/{}/enable", address);
  return fmt::format("setpci -s {0} COMMAND={1:04x}:{1:04x}", address, bits);
}

void judge_initiator(const Machine& machine, const Function& initiator, FunctionFinding finding) {
  if (!judge_both(machine, initiator, Code::initiator_not_on_vfio_pci, finding)) return;
  judge_bus_master(machine.host(), initiator, finding.blockers);
  judge_ats(initiator, finding.blockers);
  if (initiator.virtual_functions.empty() && !initiator.has_vfs_enabled) return;
  const auto address = initiator.address.to_string();
  finding.blockers.push_back(
      blocked(Code::pf_with_vfs,
              {.where = address,
               .observed = initiator.virtual_functions.empty()
                               ? "a PF that has VFs enabled: who has it controls them"
                               : fmt::format("a PF with {} VFs: who has it controls them", initiator.virtual_functions.size()),
               .needed = "a PF without VFs, or one of its VFs as initiator",
               .remedy = fmt::format("echo 0 > /sys/bus/pci/devices/{}/sriov_numvfs", address),
               .isolation = ""}));
}

void judge_target(const Machine& machine, const Function& target, FunctionFinding finding) {
  if (judge_both(machine, target, Code::target_not_on_vfio_pci, finding)) judge_decode(machine.host(), target, finding.blockers);
}

}  // namespace p2pd
