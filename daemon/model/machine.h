// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Everything that rules need to know about one machine at one moment: its functions and the facts about
// kernel, CPU, IOMMU and hypervisor. A value: a new picture is a new Machine.
#pragma once

#include <cstdint>
#include <optional>
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
  [[nodiscard]] const Function* parent_of(const Function& function) const;
  // The first of a bus, by address; nothing when nobody is on it.
  [[nodiscard]] const Function* first_on_bus(std::uint32_t domain, std::uint8_t bus) const;
  [[nodiscard]] std::vector<const Function*> functions_of_group(std::uint32_t iommu_group) const;

  bool operator==(const Machine&) const = default;

 private:
  HostFacts host_;
  std::vector<Function> functions_;
  // Of each function, beside them: a function is so large that a search among them misses the cache at every step.
  std::vector<Address> addresses_;
  // IOMMU group and position of each function that is in one, sorted.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> groups_;
};

}  // namespace p2pd
