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

// What ports on the way up do with translated requests that only pass: let them (as `turn` says), block, or unknown.
Turn turn_of_translated_on(std::span<const Function* const> way, Turn turn) {
  for (const auto* node : way) {
    if (!node->is_bridge() || has_no_acs(*node)) continue;
    if (node->acs.state == Acs::State::unknown) turn = Turn::unknown;
    if (node->acs.state == Acs::State::present && (node->acs.control & Acs::translation_blocking) != 0) return Turn::blocked;
  }
  return turn;
}

// Between root buses, or beside each other on one: the root complex it is, unless Egress Control of the initiator's root port
// (of its device's functions, if both are in one) stops the request before. Redirect does what happens anyway.
Turn turn_at_the_root(const Function& from, const Function& to) {
  const bool is_one_device =
      from.address.domain == to.address.domain && from.address.bus == to.address.bus && from.address.device == to.address.device;
  if (has_no_acs(from) || (!is_port(from) && !is_one_device)) return Turn::up;
  if (from.acs.state == Acs::State::unknown) return Turn::unknown;
  if (from.acs.state == Acs::State::absent || (from.acs.control & Acs::egress_control) == 0) return Turn::up;
  // Port numbers are those of one root complex.
  const bool is_numbered = from.root_domain == to.root_domain && from.root_bus == to.root_bus;
  const auto turn = is_numbered ? turn_of_request(from, to) : Turn::unknown;
  return turn == Turn::direct ? Turn::up : turn;
}

bool has_acs(const Function& function) { return !has_no_acs(function) && function.acs.state != Acs::State::absent; }

Turns judge_turns(const Path& path) {
  Turns turns;
  if (path.common == nullptr) {
    const auto& root_port = *path.initiator_arm.back();
    turns.request = turn_at_the_root(root_port, *path.target_arm.back());
    const bool is_exempt = root_port.acs.state == Acs::State::present && (root_port.acs.control & Acs::direct_translated) != 0;
    turns.translated = turn_of_translated_on(path.initiator_arm, is_exempt ? Turn::up : turns.request);
    return turns;
  }
  turns.request = turns.translated = turns.completion = Turn::direct;
  // One above the other (a bridge, which is a finding of its own), or on a bus that all see.
  if (path.initiator_arm.empty() || path.target_arm.empty() || has_no_acs(*path.common)) return turns;
  const auto& from = *path.initiator_arm.back();
  const auto& to = *path.target_arm.back();
  turns.request = turn_of_request(from, to);
  turns.translated = turn_of_translated_on(path.initiator_arm, turn_of_translated(from, to));
  turns.completion = turn_of_completion(to);
  turns.is_within_device = has_a_link_below(*path.common);
  // A device need not route between its functions, and without ACS it does not say whether it does.
  turns.is_internal_route_unknown = turns.is_within_device && (!has_acs(from) || !has_acs(to));
  if (turns.is_internal_route_unknown)
    for (auto* turn : {&turns.request, &turns.completion, &turns.translated})
      if (*turn == Turn::direct) *turn = Turn::up;
  // What is sent up passes the ports that both share.
  if (turns.translated == Turn::up) turns.translated = turn_of_translated_on(path.shared, Turn::up);
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
  if (!is_bridge_type(shared.port_type)) return Tristate::unknown;
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

Forwards way_through_root(const RouteQuestion& question) {
  const auto shared = forward_up(question.path);
  return {.writes = both(question.forwards.writes, shared), .reads = both(question.forwards.reads, shared)};
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
  const auto shared = forward_up(path);
  const auto directions = judge_directions(turns, way_through_root(question));
  const bool reads = allows(access, Access::read);
  const bool writes = allows(access, Access::write);

  if (turns.request == Turn::direct && (turns.completion == Turn::direct || !reads))
    return {.route = Route::switched, .expected = Route::switched, .directions = directions};
  const bool is_blocked = turns.request == Turn::blocked;
  const bool is_unknown = turns.request == Turn::unknown || (reads && turns.completion == Turn::unknown);
  // Between root ports nothing turns before.
  const bool goes_up = path.common == nullptr || turns.request == Turn::up || (reads && turns.completion == Turn::up);
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
  const bool is_forwarded = forwards.writes == Tristate::yes || turns.is_internal_route_unknown;
  return {.route = is_open ? Route::root_complex : Route::none,
          .expected = path.common == nullptr || (goes_up && is_forwarded) ? Route::root_complex : Route::switched,
          .directions = directions};
}

}  // namespace p2pd
