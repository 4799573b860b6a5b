// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The two capability lists, PCIe 6.0 §7.5.1.1.11 and §7.6.3. A list that loops, breaks off or leads into unreadable
// space is incomplete: what was not found in it is unknown.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sources/config_space.h"

namespace p2pd {

namespace capability {
enum Id : std::uint16_t { power_management = 0x01, vendor_specific = 0x09, bridge_subsystem = 0x0d, pcie = 0x10, msix = 0x11 };
}
namespace extended_capability {
enum Id : std::uint16_t {
  acs = 0x000d,
  ari = 0x000e,
  ats = 0x000f,
  sriov = 0x0010,
  resizable_bar = 0x0015,
  vf_resizable_bar = 0x0024
};
}

struct CapabilityList {
  struct Entry {
    std::uint16_t id;
    unsigned offset;
  };
  std::vector<Entry> entries;
  unsigned last = 0;  // offset of what was read last: of an entry, or of what broke the list off
  bool is_complete = false;

  // The first one: Linux looks no further either (drivers/pci/pci.c __pci_find_next_cap_ttl()).
  [[nodiscard]] std::optional<unsigned> find(std::uint16_t id) const;
};

[[nodiscard]] CapabilityList read_capabilities(const ConfigSpace& space);
[[nodiscard]] CapabilityList read_extended_capabilities(const ConfigSpace& space);

}  // namespace p2pd
