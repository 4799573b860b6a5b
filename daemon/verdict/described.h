// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A pair as somebody described it (platform/peers.h), where the rules cannot know: in a virtual machine, between domains,
// through a root complex of which nobody has told anything.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/access.h"
#include "platform/peers.h"
#include "verdict/findings.h"
#include "verdict/verdict.h"

namespace p2pd {

// Of what the initiator is to do, the least that is described.
[[nodiscard]] Tristate least_of(const Reach& reach, Access access);

// What the rules said: the route, and what they found against it.
struct RuledWay {
  Route route = Route::none;
  Weight weight;
  bool is_between_domains = false;
};

// Whether a description decides: where the rules left it open, and not where they know that nothing gets there.
[[nodiscard]] bool is_left_open(const RuledWay& way);

// The way as described: `described`, or none with the reason.
[[nodiscard]] Route judge_description(const Description& description, Access access, Findings& findings);

// Where the rules decided, and the description knows of less: the more careful one counts. Says whether it is against the pair.
bool judge_contradiction(const Description& description, Access access, Findings& findings);

// `is_refused`: it does not count, because nothing comes down from the root complex.
void note_description(const Description& description, bool is_refused, std::vector<std::string>& notes);

}  // namespace p2pd
