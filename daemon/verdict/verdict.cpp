// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/verdict.h"

#include "verdict/remedies.h"

namespace p2pd {

void Weight::add(Severity severity, bool is_certain) {
  if (severity == Severity::limit) return;
  if (severity == Severity::setup)
    found_ |= is_certain ? setup_certain : setup_uncertain;
  else
    found_ |= is_certain ? block_certain : block_uncertain;
}

Answer Weight::answer(unsigned no, unsigned unknown) const {
  if ((found_ & no) != 0) return Answer::no;
  return (found_ & unknown) != 0 ? Answer::unknown : Answer::yes;
}

void Verdict::conclude() {
  Weight weight;
  for (const auto& blocker : blockers) weight.add(blocker.severity, blocker.is_certain);
  possible = weight.possible();
  answer = weight.answer();
  remedies = remedies_of(blockers);
}

std::string to_string(Tristate value) {
  switch (value) {
    case Tristate::no: return "no";
    case Tristate::yes: return "yes";
    case Tristate::unknown: break;
  }
  return "unknown";
}

std::string to_string(Route route) {
  switch (route) {
    case Route::local: return "local";
    case Route::switched: return "switch";
    case Route::root_complex: return "root-complex";
    case Route::described: return "described";
    case Route::none: break;
  }
  return "none";
}

std::string to_string(Rule rule) { return rule == Rule::description ? "description" : "route"; }

std::string to_string(Severity severity) {
  switch (severity) {
    case Severity::setup: return "setup";
    case Severity::limit: return "limit";
    case Severity::block: break;
  }
  return "block";
}

std::string to_string(Evidence evidence) {
  switch (evidence) {
    case Evidence::described: return "described";
    case Evidence::proven: return "proven";
    case Evidence::rules: break;
  }
  return "rules";
}

std::string to_string(KernelRule::MapType map_type) {
  switch (map_type) {
    case KernelRule::MapType::not_supported: return "not-supported";
    case KernelRule::MapType::bus_address: return "bus-address";
    case KernelRule::MapType::through_host_bridge: return "through-host-bridge";
    case KernelRule::MapType::unknown: break;
  }
  return "unknown";
}

}  // namespace p2pd
