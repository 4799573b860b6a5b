// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The route rule: which way a request really takes, and why it may not get there.
//
// ACS is judged where the paths of the two part, and nowhere else: of what comes up to a port further down, all goes on up
// anyway. The initiator's side decides about requests (RR, EC; for translated ones DT and TB), the target's side about the
// completions of reads (CR). What is sent up needs a root complex that sends it down again.
#pragma once

#include "model/access.h"
#include "model/machine.h"
#include "model/target_name.h"
#include "platform/root_complex.h"
#include "topology/topology.h"
#include "verdict/findings.h"
#include "verdict/verdict.h"

namespace p2pd {

// What the root complex does with what goes up to it from one of the two for the other.
struct Forwards {
  Tristate writes = Tristate::unknown;
  Tristate reads = Tristate::unknown;
};

// Whether it is known that some of what the initiator is to do does not get through.
[[nodiscard]] bool is_closed(const Forwards& forwards, Access access);

struct RouteQuestion {
  const Machine& machine;
  const Function& initiator;
  const Function& target;
  const Path& path;
  const RootComplex& root_complex;
  Forwards forwards;
  Access access = Access::read_write;  // what the initiator is to do
};

// What becomes of what goes up: all that the two share must forward it too.
[[nodiscard]] Forwards way_through_root(const RouteQuestion& question);

struct Routing {
  Route route = Route::none;
  // Where there is none: which one there would be without what was found against it. Nothing is told piecemeal: what else
  // is against that one is a finding too.
  Route expected = Route::none;
  Directions directions;
  Rule decided_by = Rule::route;
};

// Where there is no route, `findings` has why.
[[nodiscard]] Routing find_route(const RouteQuestion& question, Findings& findings);

// The machine may be a virtual one: what its tree looks like says nothing about the way of a request. True: it is physical.
bool judge_virtualization(const HostFacts& host, Findings& findings);

}  // namespace p2pd
