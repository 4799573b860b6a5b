// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/route.h"

#include <algorithm>

#include "topology/acs.h"
#include "verdict/route_findings.h"

namespace p2pd {

namespace {

Tristate both(Tristate a, Tristate b) {
  if (a == Tristate::no || b == Tristate::no) return Tristate::no;
  return a == Tristate::unknown || b == Tristate::unknown ? Tristate::unknown : Tristate::yes;
}

// A port to which one device is linked: paths that part below it part inside that device.
bool has_a_link_below(const Function& bridge) {
  return bridge.port_type == PortType::root_port || bridge.port_type == PortType::switch_downstream ||
         bridge.port_type == PortType::pci_to_pcie_bridge;
}

// What the ports on the way up do with translated requests before their paths part: let pass (direct), block, or unknown.
Turn turn_of_translated_on(std::span<const Function* const> arm) {
  auto turn = Turn::direct;
  for (const auto* node : arm) {
    if (!node->is_bridge() || has_no_acs(*node)) continue;
    if (node->acs.state == Acs::State::unknown) turn = Turn::unknown;
    if (node->acs.state == Acs::State::present && (node->acs.control & Acs::translation_blocking) != 0) return Turn::blocked;
  }
  return turn;
}

Turns judge_turns(const Path& path) {
  Turns turns;
  if (path.common == nullptr) {
    const auto before = turn_of_translated_on(path.initiator_arm);
    if (before != Turn::direct) turns.translated = before;
    return turns;
  }
  turns.request = turns.translated = turns.completion = Turn::direct;
  // One above the other (a bridge, which is a finding of its own), or on a bus that all see.
  if (path.initiator_arm.empty() || path.target_arm.empty() || has_no_acs(*path.common)) return turns;
  const auto& from = *path.initiator_arm.back();
  const auto& to = *path.target_arm.back();
  turns.request = turn_of_request(from, to);
  const auto before = turn_of_translated_on(path.initiator_arm);
  turns.translated = before == Turn::direct ? turn_of_translated(from, to) : before;
  turns.completion = turn_of_completion(to);
  turns.is_within_device = has_a_link_below(*path.common);
  if (!turns.is_within_device) return turns;
  // A device need not route between its functions, and without ACS it does not say whether it does.
  turns.is_internal_route_unknown = from.acs.state == Acs::State::absent || to.acs.state == Acs::State::absent;
  if (!turns.is_internal_route_unknown) return turns;
  if (turns.request == Turn::direct) turns.request = Turn::up;
  if (turns.completion == Turn::direct) turns.completion = Turn::up;
  if (turns.translated == Turn::direct) turns.translated = Turn::up;
  return turns;
}

Tristate forward_up(const Path& path) {
  auto all = Tristate::yes;
  for (const auto* shared : path.shared) all = both(all, forwards_up(*shared));
  return all;
}

// Of one kind of request: it gets there directly, or by what `up` says.
Tristate outcome(Turn turn, Tristate up) {
  switch (turn) {
    case Turn::direct: return Tristate::yes;
    case Turn::up: return up;
    case Turn::blocked: return Tristate::no;
    case Turn::unknown: break;
  }
  return Tristate::unknown;
}

Directions judge_directions(const Turns& turns, const Forwards& up) {
  const auto back = outcome(turns.completion, up.reads);
  Directions directions{.writes = outcome(turns.request, up.writes),
                        .reads = both(outcome(turns.request, up.reads), back),
                        .translated = both(outcome(turns.translated, both(up.writes, up.reads)), back)};
  // Whether the device routes between its functions is not known: that the other way is closed does not make it a no.
  if (turns.is_internal_route_unknown && turns.request == Turn::up) {
    for (auto* direction : {&directions.writes, &directions.reads})
      if (*direction == Tristate::no) *direction = Tristate::unknown;
  }
  return directions;
}

// A VMD translates requester IDs of what is below it; whether requests get out of there, and in, nobody says.
Directions directions_between_domains(const Function& initiator, const Function& target) {
  if (speaks_in_domain_of(initiator, target)) return {};
  return {Answer::no, Answer::no, Answer::no};
}

}  // namespace

// What the two share above where their paths part must let pass, upstream, what is for its own secondary side.
Tristate forwards_up(const Function& shared) {
  const bool is_root_port = shared.port_type == PortType::root_port;
  if (shared.port_type == PortType::unknown) return Tristate::unknown;
  if (!is_root_port && shared.port_type != PortType::switch_downstream) return Tristate::yes;
  const auto& acs = shared.acs;
  if (acs.state == Acs::State::unknown) return Tristate::unknown;
  if (acs.state == Acs::State::present && (acs.control & Acs::upstream_forwarding) != 0) return Tristate::yes;
  if (!is_root_port) return Tristate::no;
  // Above a root port is the root complex: one that could be told to forward, and was not, may not do so.
  return acs.state == Acs::State::present && (acs.capability & Acs::upstream_forwarding) != 0 ? Tristate::unknown : Tristate::yes;
}

bool is_closed(const Forwards& forwards, Access access) {
  return (allows(access, Access::write) && forwards.writes == Tristate::no) ||
         (allows(access, Access::read) && forwards.reads == Tristate::no);
}

bool judge_virtualization(const HostFacts& host, Findings& findings) {
  if (host.virtualization == "none") return true;
  findings.doubt(Code::virtual_topology, [&]() -> Finding {
    const bool is_known = host.virtualization != "unknown" && !host.virtualization.empty();
    return {.where = "this machine",
            .observed =
                is_known ? "a virtual machine: " + host.virtualization : "it could not be read whether this is a virtual machine",
            .needed = "a physical machine, or a description by the hypervisor of who reaches whom",
            .remedy = is_known ? "[platform] virtualization = \"none\" in /etc/p2pd/p2pd.toml" : "",
            .isolation = is_known ? "emulated hardware counts as physical: for laboratories" : ""};
  });
  return false;
}

Routing find_route(const RouteQuestion& question, Findings& findings) {
  const auto& [machine, initiator, target, path, root_complex, forwards, access] = question;
  if (initiator.address == target.address) {
    tell_same_function(initiator, findings);
    return {.route = Route::local, .expected = Route::local, .directions = {}};
  }
  const bool is_one_domain = initiator.address.domain == target.address.domain || root_complex.joins_domains;
  if (!is_one_domain) tell_different_domain(initiator, target, findings);
  const bool is_physical = judge_virtualization(machine.host(), findings);
  if (!is_one_domain)
    return {.route = Route::none, .expected = Route::none, .directions = directions_between_domains(initiator, target)};
  if (!is_physical) return {};

  const auto turns = judge_turns(path);
  const auto shared = path.common == nullptr ? Tristate::yes : forward_up(path);
  const Forwards up{.writes = both(forwards.writes, shared), .reads = both(forwards.reads, shared)};
  const auto directions = judge_directions(turns, up);
  const bool reads = allows(access, Access::read);
  const bool writes = allows(access, Access::write);

  if (turns.request == Turn::direct && (turns.completion == Turn::direct || !reads))
    return {.route = Route::switched, .expected = Route::switched, .directions = directions};
  const bool is_blocked = turns.request == Turn::blocked;
  const bool is_unknown = turns.request == Turn::unknown || (reads && turns.completion == Turn::unknown);
  const bool goes_up = turns.request == Turn::up || (reads && turns.completion == Turn::up);
  if (is_blocked) tell_egress_blocked(question, findings);
  if (is_unknown) tell_turn_unknown(question, turns, findings);
  if (goes_up) {
    if (shared != Tristate::yes) tell_not_forwarded_up(machine.host(), path, shared, findings);
    if (forwards.writes != Tristate::yes && (writes || forwards.reads != Tristate::yes))
      tell_no_way_through_root(question, turns, findings);
    else if (reads && forwards.reads != Tristate::yes)
      tell_reads_not_forwarded(question, findings);
  }
  const bool is_open = !is_blocked && !is_unknown && (!writes || directions.writes == Tristate::yes) &&
                       (!reads || directions.reads == Tristate::yes);
  const bool is_forwarded = forwards.writes == Tristate::yes || path.common == nullptr || turns.is_internal_route_unknown;
  return {.route = is_open ? Route::root_complex : Route::none,
          .expected = goes_up && is_forwarded ? Route::root_complex : Route::switched,
          .directions = directions};
}

}  // namespace p2pd
