// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Inside of Runner: what the loop's thread owns, and the worker.
#pragma once

#include <map>

#include "effects/kernel_objects.h"
#include "effects/lease_watch.h"
#include "effects/runner.h"
#include "effects/worker.h"

namespace p2pd {

struct Runner::Impl {
  explicit Impl(Parts its_parts)
      : parts(std::move(its_parts)), kernel(*parts.vfio, *parts.store, parts.driver_paths, parts.fail), worker(parts.loop) {}

  // From here on the lease's end is an event.
  void watch(GrantId grant, HoldingId holding, Lease lease);
  // The holding with its mappings, or one mapping, is going.
  void be_quiet(GrantId grant);
  void forget(GrantId grant);
  void mapped(MappingId mapping, HoldingId holding, Outcome<std::optional<Lease>> outcome);
  [[nodiscard]] static bool belongs_to(GrantId grant, HoldingId holding, GrantId going) {
    return grant == going || GrantId{holding} == going;
  }

  struct HeldLease {
    HoldingId holding;  // that it goes with
    std::unique_ptr<LeaseWatch> watch;
  };
  struct Deadline {
    Impl* impl;
    GrantId grant;
    EventSource source;
  };

  Parts parts;
  std::map<GrantId, HeldLease> leases;
  std::map<GrantId, std::unique_ptr<Deadline>> deadlines;
  KernelObjects kernel;
  // Started with the first file that is to be closed away from everything; a close that hangs hangs only this one.
  std::unique_ptr<Worker> disposer;
  // Last, so that it is joined before what it uses goes.
  Worker worker;
};

}  // namespace p2pd
