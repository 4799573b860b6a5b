// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/described.h"

#include <fmt/format.h>

namespace p2pd {

namespace {

std::string words(const Reach& reach) {
  return fmt::format("writes {}, reads {}", to_string(reach.writes), to_string(reach.reads));
}

Finding tell(const Description& description) {
  return {.where = description.source,
          .observed = words(description.reach),
          .needed = "a description that says yes to what the initiator is to do",
          .remedy = "",
          .isolation = ""};
}

}  // namespace

Tristate least_of(const Reach& reach, Access access) {
  auto least = Tristate::yes;
  for (const auto& [kind, answer] : {std::pair{Access::write, reach.writes}, {Access::read, reach.reads}}) {
    if (!allows(access, kind) || answer == Tristate::yes) continue;
    if (least != Tristate::no) least = answer;
  }
  return least;
}

bool is_left_open(const RuledWay& way) {
  return way.route == Route::none && (way.is_between_domains || way.weight.possible() == Answer::unknown);
}

Route judge_description(const Description& description, Access access, Findings& findings) {
  const auto least = least_of(description.reach, access);
  if (least == Tristate::yes) return Route::described;
  if (least == Tristate::no)
    findings.block(Code::described_no, [&] { return tell(description); });
  else
    findings.doubt(Code::described_unknown, [&] { return tell(description); });
  return Route::none;
}

bool judge_contradiction(const Description& description, Access access, Findings& findings) {
  const bool is_against = least_of(description.reach, access) == Tristate::no;
  if (is_against) findings.block(Code::described_no, [&] { return tell(description); });
  return is_against;
}

void note_description(const Description& description, bool is_refused, std::vector<std::string>& notes) {
  notes.push_back(
      fmt::format("described: {} says {}{}", description.source, words(description.reach),
                  is_refused ? "; it does not count, for what goes up to the root complex is known not to get there" : ""));
  notes.insert(notes.end(), description.notes.begin(), description.notes.end());
}

}  // namespace p2pd
