// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the way between the two must be like: its bridges, its packet sizes, its links, and the address that it goes by.
#pragma once

#include "model/access.h"
#include "model/target_name.h"
#include "verdict/findings.h"
#include "verdict/kernel_rule.h"
#include "verdict/verdict.h"

namespace p2pd {

struct PathQuestion {
  const Machine& machine;
  const Place& initiator;
  const Place& target;
  Path path;
  Route route = Route::none;
  Route expected = Route::none;  // the same, or the one that there would be without what was found against it
  Directions directions;

  // What a request passes on its side of the way, the function itself first: up to where the paths part, or to the root.
  [[nodiscard]] std::span<const Function* const> initiator_side() const;
  [[nodiscard]] std::span<const Function* const> target_side() const;
};

void judge_path(const PathQuestion& question, Findings& findings);

// Whether what answers reads gives their tags back whole.
void judge_tags(const PathQuestion& question, Access access, Findings& findings);

// The address by which the initiator would reach the target: the bus address on a switch route, else one that is nobody's.
void judge_cookie(const PathQuestion& question, const TargetName& name, unsigned address_bits, Findings& findings);

}  // namespace p2pd
