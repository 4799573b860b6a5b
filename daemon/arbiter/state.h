// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the arbiter knows: enabled targets, offered initiators, holdings and mappings. The bus reads it for properties.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "arbiter/command.h"
#include "arbiter/effect.h"
#include "arbiter/ids.h"
#include "mapping/iova.h"
#include "model/access.h"
#include "model/target_name.h"
#include "state/lent_pools.h"
#include "verdict/verdict.h"

namespace p2pd {

// Who was granted. The uid decides; the rest is for people.
struct Owner {
  uid_t uid = static_cast<uid_t>(-1);
  pid_t pid = 0;
  std::string unit;
};

struct Target {
  TargetName name;  // length is never 0 here
  bool exclusive = true;
  std::optional<Access> access;
  bool is_forced = false;  // enabled although it holds the MSI-X table or pending bits
  enum class Phase : std::uint8_t { opening, enabled, disabling } phase = Phase::opening;
  std::optional<std::uint64_t> pool;  // PeerMemory::pool: a kernel driver's memory; nothing: p2pd has the function open
};

struct InitiatorOffer {
  Address initiator;
  std::string group;
  gid_t gid = 0;
  bool trusted_firmware = false;
};

enum class GrantPhase : std::uint8_t { opening, active, revoking, ending };

struct Holding {
  HoldingId id;
  Owner owner;
  Address initiator;
  std::uint32_t iommu_group = 0;
  unsigned address_bits = 64;
  std::string backend;
  bool may_bypass = false;  // action switch-route was granted: targets within reach need no mapping
  GrantPhase phase = GrantPhase::opening;
  IovaSpace space;                     // what is mapped where; filled when the container is open
  std::chrono::microseconds since{0};  // CLOCK_BOOTTIME
  // The function must go: whoever has its device open is to have closed it by then (CLOCK_BOOTTIME).
  std::optional<std::chrono::microseconds> must_go_by;
};

struct Mapping {
  MappingId id;
  std::optional<HoldingId> holding;  // nothing = a descriptor (a dma-buf, or of a pool): whoever has it
  Owner owner;
  std::optional<TargetName> target;  // nothing = the client's own memory
  Route route = Route::none;
  Range<Iova> iova;  // begin = the cookie
  Access access = Access::read_write;
  GrantPhase phase = GrantPhase::opening;
  bool has_own_lease = false;
  std::optional<std::uint64_t> pool;  // of a kernel driver's memory
};

struct State {
  std::map<TargetName, Target> targets;
  std::map<Address, InitiatorOffer> offers;
  std::map<HoldingId, Holding> holdings;
  std::map<MappingId, Mapping> mappings;
  std::map<Address, LentPool> lent_pools;  // whoever was lent one may have it still
  bool stopping = false;
};

}  // namespace p2pd
