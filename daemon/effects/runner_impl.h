// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Inside of Runner: what the loop's thread owns, and the workers.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "effects/kernel_objects.h"
#include "effects/lease_watch.h"
#include "effects/removal_watch.h"
#include "effects/runner.h"
#include "effects/wanted_watch.h"
#include "effects/worker.h"

namespace p2pd {

struct Runner::Impl {
  explicit Impl(Parts its_parts)
      : parts(std::move(its_parts)),
        kernel(parts.back_ends, *parts.store, parts.fail),
        removals(parts.loop, parts.driver_paths.sysfs_root,
                 [this](const Address& lent_one) { parts.post(DeviceWanted{lent_one}); }),
        drivers(parts.loop, parts.driver_patience),
        scrubber(parts.loop),
        worker(parts.loop) {}

  // From here on the lease's end is an event.
  void watch(GrantId grant, std::optional<HoldingId> holding, Lease lease);
  // The holding with its mappings, or one mapping, is going.
  void be_quiet(GrantId grant);
  void forget(GrantId grant);
  // From here on it is an event that the kernel wants the target back.
  void watch(const Address& target, UniqueFd wanted);
  void mapped(MappingId mapping, std::optional<HoldingId> holding, Outcome<std::optional<Lease>> outcome);
  Worker& clearing_worker(HoldingId holding);
  template <class Effect>
  void change_driver(Effect effect, Outcome<void> (*change)(const DriverPaths&, const std::vector<Address>&, bool));
  [[nodiscard]] static bool belongs_to(GrantId grant, std::optional<HoldingId> holding, GrantId going) {
    return grant == going || (holding && GrantId{*holding} == going);
  }

  struct HeldLease {
    std::optional<HoldingId> holding;  // that it goes with
    std::unique_ptr<LeaseWatch> watch;
  };
  struct Lent {
    Address initiator;
    UniqueFd process;  // of the owner
    UniqueFd device;   // once it is closed: for ClearOut
  };
  struct Deadline {
    Impl* impl;
    GrantId grant;
    EventSource source;
  };

  Parts parts;
  std::map<GrantId, HeldLease> leases;
  std::map<GrantId, std::unique_ptr<Deadline>> deadlines;
  std::map<Address, WantedWatch> wanted_targets;
  std::map<HoldingId, Lent> lent;
  KernelObjects kernel;
  RemovalWatch removals;
  std::map<HoldingId, Worker> clearers;
  std::vector<HoldingId> cleared;
  Worker drivers;
  Worker scrubber;
  // Last, so that it is joined before what it uses goes.
  Worker worker;
};

}  // namespace p2pd
