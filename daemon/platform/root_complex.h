// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Does the root complex forward peer requests between two functions? As the kernel knows it: by CPU, else by the list of
// host bridges (p2pdma.c cpu_supports_p2pdma, host_bridge_whitelist); and as platform.d knows better.
#pragma once

#include <cstdint>
#include <string>

#include "model/machine.h"
#include "platform/tables.h"

namespace p2pd {

// What is known of the host bridge above a function; the same for everything below one root bus.
struct HostBridge {
  std::uint32_t domain = 0;
  std::uint8_t bus = 0;
  const Function* known_by = nullptr;  // the function that the list is keyed by; null: there is none
  enum class Key : std::uint8_t { missing, unread, no_host_bridge, usable } key = Key::missing;
  const HostBridgeEntry* entry = nullptr;   // what the list says; null: it is in no list
  const Function* unlisted = nullptr;       // a root port there of which the list does not say that it forwards
  const RootComplexEntry* known = nullptr;  // what somebody tried; null: nobody
  const IsolatedPort* closed = nullptr;     // the port passes nothing to another root port
};

// `topmost`: the last of a way up. `kernel`: whose list, major * 1000 + minor; all other entries count for the running kernel.
// Lives as long as machine and tables.
[[nodiscard]] HostBridge host_bridge_above(const Machine& machine, const PlatformTables& tables, unsigned kernel,
                                           const Function& topmost);

enum class Forwarding : std::uint8_t {
  yes,
  // Listed, but only for two functions below the same host bridge, and these are below different ones: known not to work.
  same_bridge_only,
  not_listed,  // not known to work
  unknown,     // what the lists are keyed by could not be read
};

struct RootComplex {
  Forwarding forwarding = Forwarding::unknown;
  const CpuEntry* cpu = nullptr;  // it decides; else the host bridge does
  HostBridge host_bridge;
  bool is_cpu_known = true;

  // What it really does with them: the kernel's list says one word for both.
  Tristate writes = Tristate::unknown;
  Tristate reads = Tristate::unknown;
  // The two are in different domains, and it forwards between them.
  bool joins_domains = false;
  // Entries that changed what the kernel's list says, and those that an operator answers for. Null: none.
  const About* knows_better = nullptr;
  const About* is_unsafe = nullptr;

  // Texts are made when they are asked for: most pairs need none.
  [[nodiscard]] std::string where() const;   // the function that the host bridge is known by; "" when only the CPU decides
  [[nodiscard]] std::string reason() const;  // one sentence: which entry, or what is in no list
};

[[nodiscard]] RootComplex root_complex_between(const HostFacts& host, const PlatformTables& tables, const HostBridge& a,
                                               const HostBridge& b);

}  // namespace p2pd
