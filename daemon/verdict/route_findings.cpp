// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/route_findings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "verdict/acs_remedy.h"
#include "verdict/kernel_rule.h"

namespace p2pd {

namespace {

std::string names_of(const std::vector<const Function*>& functions) {
  std::vector<std::string> names;
  names.reserve(functions.size());
  for (const auto* function : functions) names.push_back(function->address.to_string());
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string redirect_bits(const Acs& acs) {
  std::vector<std::string_view> bits;
  if ((acs.control & Acs::request_redirect) != 0) bits.emplace_back("RR");
  if ((acs.control & Acs::completion_redirect) != 0) bits.emplace_back("CR");
  if ((acs.control & Acs::egress_control) != 0) bits.emplace_back("EC");
  return fmt::format("{}", fmt::join(bits, " "));
}

// Every function of the path with its control word: one that is left out is one that its operator forgets.
std::string controls_of(const std::vector<const Function*>& functions) {
  std::vector<std::string> controls;
  controls.reserve(functions.size());
  for (const auto* function : functions)
    controls.push_back(function->standard_acs ? fmt::format("{} redirects whatever its ACS says", function->address.to_string())
                                              : fmt::format("{} ACS control {:#06x} ({})", function->address.to_string(),
                                                            function->acs.control, redirect_bits(function->acs)));
  return fmt::format("{}", fmt::join(controls, ", "));
}

// Which redirects must go for the pair to be direct. p2pdma counts every redirecting function of the path: where the kernel has
// it, a remedy that left one out would not satisfy it.
std::vector<const Function*> to_be_cleared(const RouteQuestion& question) {
  auto ports = redirecting(question.path);
  if (question.machine.host().kernel_p2pdma != Tristate::no || question.path.initiator_arm.empty() ||
      question.path.target_arm.empty())
    return ports;
  const auto* from = question.path.initiator_arm.back();
  const auto* to = question.path.target_arm.back();
  std::erase_if(ports, [&](const Function* port) { return port != from && port != to; });
  return ports;
}

// Whether functions of one device have redirects of their own on, and so a way to each other.
bool redirects_inside(const Path& path) {
  const auto& asks = path.initiator_arm.back()->acs;
  const auto& answers = path.target_arm.back()->acs;
  return (asks.state == Acs::State::present && (asks.control & (Acs::request_redirect | Acs::egress_control)) != 0) ||
         (answers.state == Acs::State::present && (answers.control & Acs::completion_redirect) != 0);
}

void tell_redirected(const RouteQuestion& question, bool is_certain, Findings& findings) {
  findings.report(Code::acs_redirect_no_root_complex, is_certain, [&]() -> Finding {
    const auto ports = to_be_cleared(question);
    auto named = ports;
    // What redirects by its wiring (platform.d) has no bit to clear: then no other bit helps.
    bool is_by_wiring = false;
    const auto look_at = [&](const Function* part) {
      if (!part->standard_acs) return;
      is_by_wiring = true;
      if (std::find(named.begin(), named.end(), part) == named.end()) named.push_back(part);
    };
    look_at(question.path.initiator_arm.back());
    if (allows(question.access, Access::read)) look_at(question.path.target_arm.back());
    return {.where = names_of(named),
            .observed = fmt::format("{}; root complex: {}", controls_of(named), question.root_complex.reason()),
            .needed = "no ACS redirect (RR, CR, EC) where the paths part, or a root complex known to forward peer requests",
            .remedy = is_by_wiring ? "" : clear_redirects(question.machine.host(), ports),
            .isolation = is_by_wiring ? "" : price_of_clearing(question.machine, ports)};
  });
}

void tell_no_internal_route(const RouteQuestion& question, const Turns& turns, bool is_certain, Findings& findings) {
  findings.report(Code::no_internal_route, is_certain, [&]() -> Finding {
    return {
        .where = fmt::format("{}, {}", question.initiator.address.to_string(), question.target.address.to_string()),
        .observed = fmt::format("functions of one device, which {}; root complex: {}",
                                turns.is_internal_route_unknown ? "does not say whether it routes between them (no ACS)"
                                                                : "does not route between them (ACS without Request Redirect)",
                                question.root_complex.reason()),
        .needed = "a device that routes between its functions, or a root complex known to forward peer requests",
        .remedy = "",
        .isolation = ""};
  });
}

}  // namespace

void tell_same_function(const Function& function, Findings& findings) {
  findings.block(Code::same_function, [&]() -> Finding {
    return {.where = function.address.to_string(),
            .observed = "initiator and target are one function",
            .needed = "two functions: a function with an enabled target is never lent",
            .remedy = "",
            .isolation = ""};
  });
}

bool speaks_in_domain_of(const Function& initiator, const Function& target) {
  return initiator.requester && initiator.requester->domain == target.address.domain;
}

void tell_different_domain(const Function& initiator, const Function& target, Findings& findings) {
  const bool is_translated = speaks_in_domain_of(initiator, target);
  findings.report(Code::different_domain, !is_translated, [&]() -> Finding {
    auto observed = fmt::format("domains {:04x} and {:04x}", initiator.address.domain, target.address.domain);
    if (is_translated)
      observed += fmt::format("; it speaks with the requester ID of {}, whether its requests get there nobody says",
                              initiator.requester->to_string());
    return {.where = fmt::format("{}, {}", initiator.address.to_string(), target.address.to_string()),
            .observed = std::move(observed),
            .needed =
                "one domain, or a description or a platform entry that says what forwards between them: a completion "
                "carries no domain",
            .remedy = "",
            .isolation = ""};
  });
}

void tell_egress_blocked(const RouteQuestion& question, Findings& findings) {
  findings.block(Code::egress_control, [&]() -> Finding {
    const auto* from = question.path.initiator_arm.back();
    return {.where = from->address.to_string(),
            .observed = fmt::format("ACS control {:#06x} (EC), and its egress control vector blocks the way to {}",
                                    from->acs.control, question.path.target_arm.back()->address.to_string()),
            .needed = "a vector that lets it pass, or Egress Control off",
            .remedy = clear_egress_control(question.machine.host(), *from),
            .isolation = price_of_clearing(question.machine, {&from, 1})};
  });
}

void tell_turn_unknown(const RouteQuestion& question, const Turns& turns, Findings& findings) {
  std::vector<const Function*> nodes;
  if (turns.request == Turn::unknown) nodes.push_back(question.path.initiator_arm.back());
  if (turns.completion == Turn::unknown) nodes.push_back(question.path.target_arm.back());
  const auto* first = nodes.front();
  // Egress Control is the initiator's side's only: of completions it decides nothing.
  const bool is_egress = turns.request == Turn::unknown && first->acs.state != Acs::State::unknown &&
                         (first->acs.control & Acs::egress_control) != 0;
  if (is_egress) {
    findings.doubt(Code::egress_control, [&]() -> Finding {
      return {.where = first->address.to_string(),
              .observed = fmt::format("ACS control {:#06x} (EC), and what its egress control vector says could not be read",
                                      first->acs.control),
              .needed = "a vector and port numbers that could be read, or Egress Control off",
              .remedy = clear_egress_control(question.machine.host(), *first),
              .isolation = price_of_clearing(question.machine, {&first, 1})};
    });
    nodes.erase(nodes.begin());
    if (nodes.empty()) return;
    first = nodes.front();
  }
  findings.doubt(Code::acs_unknown, [&]() -> Finding {
    const bool is_unread = first->acs.state == Acs::State::unknown;
    return {.where = names_of(nodes),
            .observed = is_unread ? "the ACS control could not be read"
                                  : fmt::format("ACS capability {:#06x}: it cannot redirect, so it may do so by its wiring",
                                                first->acs.capability),
            .needed = is_unread ? "extended config space, read by root" : "a port that has the redirects, and has them off",
            .remedy = is_unread ? "sudo lspci -xxxx" : "",
            .isolation = ""};
  });
}

void tell_not_forwarded_up(const HostFacts& host, const Path& path, Tristate shared, Findings& findings) {
  findings.report(Code::upstream_forwarding_off, shared == Tristate::no, [&]() -> Finding {
    std::vector<const Function*> ports;
    for (const auto* port : path.shared)
      if (forwards_up(*port) != Tristate::yes) ports.push_back(port);
    return {.where = names_of(ports),
            .observed = "ACS Upstream Forwarding (bit 4) is off, or could not be read",
            .needed = "1: what the two send each other by way of the root complex passes these ports",
            .remedy = set_upstream_forwarding(host, ports),
            .isolation = ""};
  });
}

void tell_no_way_through_root(const RouteQuestion& question, const Turns& turns, Findings& findings) {
  const auto& root_complex = question.root_complex;
  const bool is_certain = is_closed(question.forwards, question.access) && !turns.is_internal_route_unknown;
  if (question.path.common != nullptr) {
    if (turns.is_within_device && (turns.is_internal_route_unknown || !redirects_inside(question.path)))
      return tell_no_internal_route(question, turns, is_certain, findings);
    return tell_redirected(question, is_certain, findings);
  }
  const auto tell = [&]() -> Finding {
    return {.where = root_complex.where(),
            .observed = root_complex.reason(),
            .needed = "a root complex known to forward peer requests, or both functions below one switch",
            .remedy = "",
            .isolation = ""};
  };
  if (root_complex.forwarding == Forwarding::same_bridge_only && is_certain)
    findings.block(Code::different_host_bridge, tell);
  else if (is_certain)
    findings.block(Code::root_complex_refuses, tell);
  else
    findings.doubt(Code::root_complex_unknown, tell);
}

void tell_reads_not_forwarded(const RouteQuestion& question, Findings& findings) {
  findings.report(Code::reads_not_forwarded, question.forwards.reads == Tristate::no, [&]() -> Finding {
    return {.where = question.root_complex.where(),
            .observed = question.root_complex.reason() + ": no reads",
            .needed = "a root complex that forwards reads too, both functions below one switch, or access `w`",
            .remedy = "",
            .isolation = ""};
  });
}

}  // namespace p2pd
