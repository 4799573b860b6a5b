// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who reaches whom, described by somebody who knows what the machine itself cannot show: the hypervisor, an operator, or
// NVIDIA's capability. docs/platform.md has the format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/function.h"
#include "model/machine.h"
#include "model/reason.h"

namespace p2pd {

// A function as it is described: by its address and by what must be there, so that another card in its place inherits nothing.
struct Peer {
  Address address;
  std::uint16_t vendor = 0;
  std::uint16_t device = 0;
  std::uint16_t subsystem_vendor = 0;
  std::uint16_t subsystem_device = 0;

  [[nodiscard]] static Peer of(const Function& function);
  auto operator<=>(const Peer&) const = default;
};

struct Reach {
  Tristate writes = Tristate::unknown;
  Tristate reads = Tristate::unknown;
  bool operator==(const Reach&) const = default;
};

struct PeersTable {
  std::string source;        // the file
  std::vector<Peer> peers;   // by address
  std::vector<Reach> reach;  // of each peer to each peer, row by row: complete

  [[nodiscard]] const Reach* find(const Function& initiator, const Function& target) const;
  bool operator==(const PeersTable&) const = default;
};

inline constexpr std::size_t most_peers = 64;

// Refuses everything that is not whole: every ordered pair must be there once, so that neither a cut nor a changed address
// leaves a table that says something else.
[[nodiscard]] Outcome<PeersTable> parse_peers(std::string_view text, const std::string& file);
// What parse_peers() reads.
[[nodiscard]] std::string write_peers(const PeersTable& table);

struct Description {
  Reach reach;
  std::string source;              // who said what counts
  std::vector<std::string> notes;  // where others said something else
  bool operator==(const Description&) const = default;
};

// Nothing when nobody describes the pair. Of two that differ the more careful one counts.
[[nodiscard]] std::optional<Description> describe(const std::vector<PeersTable>& tables, const Function& initiator,
                                                  const Function& target);

// Whether anybody describes anything of this machine.
[[nodiscard]] bool is_described(const std::vector<PeersTable>& tables, const Machine& machine);

}  // namespace p2pd
