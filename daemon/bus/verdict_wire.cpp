// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/verdict_wire.h"

#include <cstdint>
#include <vector>

#include "bus/text.h"

namespace p2pd {

namespace {

sdbus::Variant text(const std::string& value) { return sdbus::Variant{valid_utf8(value)}; }

std::vector<std::string> texts(const std::vector<std::string>& values) {
  std::vector<std::string> valid;
  valid.reserve(values.size());
  for (const auto& value : values) valid.push_back(valid_utf8(value));
  return valid;
}

Dictionary to_dictionary(const KernelRule& rule) {
  const auto distance = rule.distance ? static_cast<std::int32_t>(*rule.distance) : -1;
  return {{"present", text(to_string(rule.present))},
          {"map_type", text(to_string(rule.map_type))},
          {"distance", sdbus::Variant{distance}},
          {"table", text(rule.table)}};
}

Dictionary to_dictionary(const Blocker& blocker) {
  return {{"code", text(blocker.code)},
          {"severity", text(to_string(blocker.severity))},
          {"certain", sdbus::Variant{blocker.is_certain}},
          {"where", text(blocker.where)},
          {"observed", text(blocker.observed)},
          {"needed", text(blocker.needed)},
          {"remedy", text(blocker.remedy)},
          {"isolation", text(blocker.isolation)}};
}

}  // namespace

Dictionary to_dictionary(const Verdict& verdict) {
  std::vector<Dictionary> blockers;
  blockers.reserve(verdict.blockers.size());
  for (const auto& blocker : verdict.blockers) blockers.push_back(to_dictionary(blocker));
  return {{"initiator", text(verdict.initiator.to_string())},
          {"target", text(verdict.target.to_string())},
          {"possible", text(to_string(verdict.possible))},
          {"answer", text(to_string(verdict.answer))},
          {"route", text(to_string(verdict.route))},
          {"decided_by", text(to_string(verdict.decided_by))},
          {"writes", text(to_string(verdict.directions.writes))},
          {"reads", text(to_string(verdict.directions.reads))},
          {"translated", text(to_string(verdict.directions.translated))},
          {"evidence", text(to_string(verdict.evidence))},
          {"kernel", sdbus::Variant{to_dictionary(verdict.kernel)}},
          {"blockers", sdbus::Variant{blockers}},
          {"remedies", sdbus::Variant{texts(verdict.remedies)}},
          {"notes", sdbus::Variant{texts(verdict.notes)}}};
}

std::string summary_of(const Verdict& verdict) {
  auto summary = to_string(verdict.answer);
  if (verdict.blockers.empty()) return summary;
  summary += " [";
  for (const auto& blocker : verdict.blockers) summary += (summary.back() == '[' ? "" : " ") + blocker.code;
  return summary + "]";
}

}  // namespace p2pd
