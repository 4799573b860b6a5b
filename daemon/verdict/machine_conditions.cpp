// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verdict/codes.h"
#include "verdict/conditions.h"
#include "verdict/judge.h"
#include "verdict/route.h"

namespace p2pd {

namespace {

// How the IOMMU gets on differs by vendor: Intel's waits for a boot argument in many kernels, AMD's is on when firmware
// says that it is there.
std::string iommu_remedy(const HostFacts& host) {
  if (host.cpu_vendor == "GenuineIntel") return "intel_iommu=on";
  if (host.cpu_vendor == "AuthenticAMD" || host.cpu_vendor == "HygonGenuine")
    return "firmware setup: IOMMU (AMD-Vi) on; boot without amd_iommu=off and iommu=off";
  return "firmware setup: IOMMU on";
}

// Drivers that leave a group viable: vfio.h, vfio_main.c and every driver with driver_managed_dma.
bool leaves_viable(const Function& function) {
  return function.driver.empty() || function.driver == "vfio-pci" || function.driver == "pci-stub" || function.is_bridge();
}

// A lent device could raise any interrupt of the host.
void judge_interrupts(const HostFacts& host, std::vector<Blocker>& blockers) {
  if (host.unsafe_interrupts == Tristate::no) return;
  const bool is_read = host.unsafe_interrupts == Tristate::yes;
  Finding finding{.where = "/sys/module/{vfio_iommu_type1,iommufd}/parameters/allow_unsafe_interrupts",
                  .observed = is_read ? "Y" : "it could not be read",
                  .needed = "N: else a lent device can raise any interrupt of the host",
                  .remedy = "echo N | tee /sys/module/{vfio_iommu_type1,iommufd}/parameters/allow_unsafe_interrupts",
                  .isolation = ""};
  blockers.push_back(is_read ? blocked(Code::unsafe_interrupts, std::move(finding))
                             : undecided(Code::unsafe_interrupts, std::move(finding)));
}

}  // namespace

void judge_host(const HostFacts& host, std::vector<Blocker>& blockers) {
  if (host.iommu == Tristate::no) {
    blockers.push_back(blocked(Code::iommu_off, {.where = "/sys/class/iommu",
                                                 .observed = "no IOMMU that translates",
                                                 .needed = "IOMMU on: only it keeps a device to what was granted",
                                                 .remedy = iommu_remedy(host),
                                                 .isolation = ""}));
  } else if (host.iommu == Tristate::unknown) {
    blockers.push_back(undecided(Code::iommu_unknown, {.where = "/sys/class/iommu",
                                                       .observed = "it could not be read whether an IOMMU translates",
                                                       .needed = "IOMMU on",
                                                       .remedy = "",
                                                       .isolation = ""}));
  }
  judge_interrupts(host, blockers);
  if (host.vfio == Tristate::yes) return;
  Finding finding{.where = "/dev/vfio/vfio",
                  .observed = host.vfio == Tristate::no ? "not there" : "it could not be read whether it is there",
                  .needed = "VFIO",
                  .remedy = "modprobe vfio-pci",
                  .isolation = ""};
  blockers.push_back(host.vfio == Tristate::no ? blocked(Code::vfio_missing, std::move(finding))
                                               : undecided(Code::vfio_missing, std::move(finding)));
}

void judge_group(const Machine& machine, const Function& function, std::vector<Blocker>& blockers) {
  if (!function.iommu_group) return;
  std::vector<std::string> held;
  std::vector<std::string> remedies;
  for (const auto* other : machine.functions_of_group(*function.iommu_group)) {
    // The function's own driver is a finding of its own.
    if (other->address == function.address || leaves_viable(*other)) continue;
    held.push_back(fmt::format("{} (driver {})", other->address.to_string(), other->driver));
    remedies.push_back("p2p-client bind " + other->address.to_string());
  }
  if (held.empty()) return;
  blockers.push_back(blocked(Code::group_not_viable, {.where = fmt::format("IOMMU group {}", *function.iommu_group),
                                                      .observed = fmt::format("{}", fmt::join(held, ", ")),
                                                      .needed = "every function of the group on vfio-pci or without a driver",
                                                      .remedy = fmt::format("{}", fmt::join(remedies, " && ")),
                                                      .isolation = ""}));
}

std::vector<Blocker> judge_machine(const Machine& machine, const PlatformTables& tables) {
  std::vector<Blocker> blockers;
  Findings findings(blockers);
  if (!is_described(tables.peers, machine)) judge_virtualization(machine.host(), findings);
  judge_host(machine.host(), blockers);
  return blockers;
}

}  // namespace p2pd
