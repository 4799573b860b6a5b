// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What must be so besides a route: the target range, both functions, the machine. Each function adds what it finds.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/machine.h"
#include "model/target_name.h"
#include "verdict/codes.h"
#include "verdict/verdict.h"

namespace p2pd {

// Is the range there, and may a client ever have it?
void judge_range(const Function& target, const TargetName& name, std::vector<Blocker>& blockers);

// Does its address lead there?
void judge_windows(const Machine& machine, const Function& target, const TargetName& name, std::vector<Blocker>& blockers);
// Of the range; at least a byte, for where the size is not known it begins there all the same.
[[nodiscard]] Bytes length_of(const Bar& bar, const TargetName& name);
// Where the range is on the bus; nothing where its BAR has no address that is known.
[[nodiscard]] std::optional<Range<BusAddress>> bus_range_of(const Bar& bar, const TargetName& name);
// What part of it a bridge above somebody else would send there.
[[nodiscard]] bool forwards_down(const Function& bridge, const Range<BusAddress>& range);
// Whether it answers to some of it now, by a BAR or a window.
[[nodiscard]] bool takes(const Function& function, const Range<BusAddress>& range);
[[nodiscard]] Finding tell_taken(const TargetName& name, const Range<BusAddress>& range, const Function& by);

struct FunctionFinding {
  std::vector<Blocker>& blockers;
  std::vector<std::string>& notes;
};

// Can they be used now: driver, power, command register, what must never be lent.
void judge_initiator(const Machine& machine, const Function& initiator, FunctionFinding finding);
void judge_target(const Machine& machine, const Function& target, FunctionFinding finding);

[[nodiscard]] bool is_asleep(const Function& function);
// Sets bits of the command register.
[[nodiscard]] std::string set_command(const HostFacts& host, const Function& function, std::uint16_t bits);

// Is the IOMMU group in VFIO's hands?
void judge_group(const Machine& machine, const Function& function, std::vector<Blocker>& blockers);

// IOMMU and VFIO.
void judge_host(const HostFacts& host, std::vector<Blocker>& blockers);

}  // namespace p2pd
