// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2pdma.c pci_p2pdma_whitelist[] of Linux 6.1.176, 6.12.107, 6.18.15, 6.19.6, 7.1.8, 7.2.8 and 7.3.4, entry by entry.
// What is queued for a kernel that is not released is not in here.
#include "platform/tables.h"

namespace p2pd {

namespace {

PlatformTables make_tables() {
  constexpr std::uint16_t intel = 0x8086;
  constexpr std::uint16_t google = 0x1ae0;
  constexpr std::uint16_t nvidia = 0x10de;
  constexpr bool same_bridge_only = true;
  constexpr bool any_bridge = false;

  PlatformTables tables;
  tables.newest_kernel = 7003;
  tables.cpus = {{"AuthenticAMD", 0x17, "AMD Zen and later"}};
  tables.host_bridges = {
      {intel, 0x3c00, same_bridge_only, 0, 0, "Sandy Bridge-E, Xeon E5 (DMI2)"},
      {intel, 0x3c01, same_bridge_only, 0, 0, "Sandy Bridge-E, Xeon E5 (DMI2 as root port)"},
      {intel, 0x2f00, same_bridge_only, 0, 0, "Haswell-E/EP/EX (DMI2)"},
      {intel, 0x2f01, same_bridge_only, 0, 0, "Haswell-E/EP/EX (root port 0)"},
      {intel, 0x2030, any_bridge, 0, 0, "Skylake-E/SP root port A"},
      {intel, 0x2031, any_bridge, 0, 0, "Skylake-E/SP root port B"},
      {intel, 0x2032, any_bridge, 0, 0, "Skylake-E/SP root port C"},
      {intel, 0x2033, any_bridge, 0, 0, "Skylake-E/SP root port D"},
      {intel, 0x2020, any_bridge, 0, 0, "Skylake-E/SP DMI3"},
      {intel, 0x09a2, any_bridge, 0, 0, "Ice Lake-SP to Clearwater Forest, first function of each stack"},
      // Commit 0ba76b19fd4c: mainline 7.2, in stable from 7.1.8 on. An early 7.1 had them not yet; a kernel of the 7.1
      // series that is still in use is later than that.
      {intel, 0x0b25, any_bridge, 7001, 0, "DSA (Sapphire Rapids) first on a root bus of its own"},
      {intel, 0x0cfe, any_bridge, 7001, 0, "IAA (Sapphire Rapids)"},
      {intel, 0x11fb, any_bridge, 7001, 0, "DSA (Granite Rapids-D)"},
      {intel, 0x1212, any_bridge, 7001, 0, "DSA (Diamond Rapids)"},
      {intel, 0x1216, any_bridge, 7001, 0, "IAA (Diamond Rapids)"},
      {intel, 0x4940, any_bridge, 7001, 0, "QAT 4xxx"},
      {intel, 0x4942, any_bridge, 7001, 0, "QAT 401xx"},
      {intel, 0x4944, any_bridge, 7001, 0, "QAT 402xx"},
      {intel, 0x4946, any_bridge, 7001, 0, "QAT 420xx"},
      {intel, 0x4948, any_bridge, 7001, 0, "QAT 6xxx"},
      // Commits 1a1f96e3e2a8 and 70cf146a674c.
      {google, std::nullopt, any_bridge, 7001, 0, "Google SoC"},
      // Commit 894a78088fc3.
      {nvidia, 0x2f95, any_bridge, 7003, 0, "NVIDIA Vera"},
      {nvidia, 0x2f96, any_bridge, 7003, 0, "NVIDIA Vera"},
      {nvidia, 0x2f97, any_bridge, 7003, 0, "NVIDIA Vera"},
      {nvidia, 0x2f98, any_bridge, 7003, 0, "NVIDIA Vera"},
  };
  return tables;
}

}  // namespace

const PlatformTables& builtin_tables() {
  static const PlatformTables tables = make_tables();
  return tables;
}

}  // namespace p2pd
