// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the route rule says when there is no route: evidence, remedy and what the remedy gives up.
#pragma once

#include "topology/acs.h"
#include "verdict/route.h"

namespace p2pd {

// What happens to traffic where the paths of the two part.
struct Turns {
  Turn request = Turn::up;
  Turn translated = Turn::up;
  Turn completion = Turn::up;
  bool is_within_device = false;           // between functions of one device
  bool is_internal_route_unknown = false;  // which does not say whether it routes between them
};

void tell_same_function(const Function& function, Findings& findings);
// Whether its completions come back there: by the requester ID of the VMD that it is below.
[[nodiscard]] bool speaks_in_domain_of(const Function& initiator, const Function& target);
void tell_different_domain(const Function& initiator, const Function& target, Findings& findings);
void tell_egress_blocked(const RouteQuestion& question, Findings& findings);
void tell_turn_unknown(const RouteQuestion& question, const Turns& turns, Findings& findings);
void tell_not_forwarded_up(const HostFacts& host, const Path& path, Tristate shared, Findings& findings);
void tell_no_way_through_root(const RouteQuestion& question, const Turns& turns, Findings& findings);
void tell_reads_not_forwarded(const RouteQuestion& question, Findings& findings);

// What one shared port does with what is for its own secondary side.
[[nodiscard]] Tristate forwards_up(const Function& shared);

}  // namespace p2pd
