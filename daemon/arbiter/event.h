// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What happened: results of effects, the world outside, the clock. Together with requests the only input of the arbiter.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "arbiter/command.h"
#include "arbiter/ids.h"
#include "model/machine.h"
#include "model/reason.h"

namespace p2pd {

struct MachineChanged {
  std::shared_ptr<const Machine> machine;
};

// The last copy of the client's end is gone, or somebody shut it down.
struct LeaseEnded {
  GrantId grant;
};

struct DeadlinePassed {
  GrantId grant;
};

// SIGTERM: give everything back, then leave.
struct StopRequested {};

// The kernel waits for a function to be closed: it is being unbound or pulled out. Comes again and again until then.
struct DeviceWanted {
  Address device;
};

// Results of effects.
struct TargetOpened {
  Address device;
  Outcome<void> outcome;
};
struct TargetClosed {
  Address device;
};
struct AddressSpace {
  std::vector<Range<Iova>> valid_iovas;  // what the IOMMU can map
  std::string backend;                   // that made it
};
struct HoldingOpened {
  HoldingId holding;
  Outcome<AddressSpace> outcome;
};
struct FunctionReset {
  Address device;
  Outcome<void> outcome;
};
struct HoldingClosed {
  HoldingId holding;
};
struct ClearedOut {
  HoldingId holding;
  bool owner_was_killed = false;
  std::vector<std::string> left;  // who has it open still, one phrase each
};
struct Mapped {
  MappingId mapping;
  Outcome<void> outcome;
};
struct Unmapped {
  MappingId mapping;
  Outcome<void> outcome;
};
struct DriverChanged {
  RequestId request;
  std::vector<Address> devices;
  Outcome<void> outcome;
};

using Event =
    std::variant<Request, MachineChanged, LeaseEnded, DeadlinePassed, StopRequested, DeviceWanted, TargetOpened, TargetClosed,
                 FunctionReset, HoldingOpened, HoldingClosed, ClearedOut, Mapped, Unmapped, DriverChanged>;

}  // namespace p2pd
