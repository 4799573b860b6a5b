// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Everything that rules need to know about one machine at one moment: its functions and the facts about
// kernel, CPU, IOMMU and hypervisor. A value: a new picture is a new Machine.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/address.h"
#include "model/function.h"

namespace p2pd {

enum class Tristate : std::uint8_t { no, yes, unknown };

struct HostFacts {
  bool is_live = true;                         // false: a dump, where an empty driver or group is one that it does not tell
  std::string kernel_release;                  // uname -r; "" = not known
  Tristate kernel_p2pdma = Tristate::unknown;  // CONFIG_PCI_P2PDMA of the running kernel
  std::string cpu_vendor;                      // CPUID vendor, e.g. AuthenticAMD; "" = not known or not x86
  unsigned cpu_family = 0;                     // display family, e.g. 0x17
  std::string virtualization = "unknown";      // systemd's names, "none" on physical machines, "unknown"
  Tristate iommu = Tristate::unknown;          // an IOMMU that translates is there
  Tristate vfio = Tristate::unknown;           // /dev/vfio/vfio is there
  // Secure Boot or an operator locked the kernel down: nobody writes config space from user space.
  Tristate lockdown = Tristate::unknown;
  Tristate unsafe_interrupts = Tristate::unknown;  // VFIO was told to lend devices though interrupts are not isolated
  // AMD's SME is active: the kernel marks what it maps as encrypted, by a bit of the address.
  Tristate memory_encryption = Tristate::unknown;
  // How many bits of an address the IOMMU's units translate, the least and the most of them; 0: not known.
  unsigned least_iommu_bits = 0;
  unsigned most_iommu_bits = 0;

  bool operator==(const HostFacts&) const = default;
};

class Machine {
 public:
  Machine() = default;
  // Sorts the functions by address; of two with the same address the later one wins.
  Machine(HostFacts host, std::vector<Function> functions);

  [[nodiscard]] const HostFacts& host() const { return host_; }
  [[nodiscard]] const std::vector<Function>& functions() const { return functions_; }
  [[nodiscard]] const Function* find(const Address& address) const;  // O(log n)
  // The bridge that requests of a function meet first.
  [[nodiscard]] const Function* bridge_above(const Function& function) const;
  // The first of a bus, by address; nothing when nobody is on it.
  [[nodiscard]] const Function* first_on_bus(std::uint32_t domain, std::uint8_t bus) const;
  [[nodiscard]] std::vector<const Function*> functions_of_group(std::uint32_t iommu_group) const;
  // What is right below a bridge. VFs are where their PF is: the bus that a VF's address names is a virtual one.
  [[nodiscard]] std::vector<const Function*> children_of(const Address& bridge) const;
  // By address; VFs are on the bus that their address names.
  [[nodiscard]] std::span<const Function> functions_on_bus(std::uint32_t domain, std::uint8_t bus) const;

  bool operator==(const Machine&) const = default;

 private:
  [[nodiscard]] std::optional<Address> address_above(const Function& function) const;

  HostFacts host_;
  std::vector<Function> functions_;
  // Of each function, beside them: a function is so large that a search among them misses the cache at every step.
  std::vector<Address> addresses_;
  // IOMMU group and position of each function that is in one, sorted.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> groups_;
  // Bridge and position of each function that is below one, sorted.
  std::vector<std::pair<Address, std::uint32_t>> children_;
};

}  // namespace p2pd
