// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/judge.h"

#include "topology/topology.h"
#include "verdict/codes.h"
#include "verdict/conditions.h"
#include "verdict/kernel_rule.h"
#include "verdict/route.h"

namespace p2pd {

namespace {

void require_found(const Function* function, const Address& address, std::vector<Blocker>& blockers) {
  if (function != nullptr) return;
  blockers.push_back(blocked(Code::function_not_found, {.where = address.to_string(),
                                                        .observed = "there is no such function",
                                                        .needed = "a function of this machine",
                                                        .remedy = "p2p-client list",
                                                        .isolation = ""}));
}

// Bridges between the two whose kind could not be read: what they do with a request is a guess.
void judge_path(const Machine& machine, const Path& path, std::vector<Blocker>& blockers) {
  const auto judge_bridge = [&](const Address& address) {
    const auto* bridge = machine.find(address);
    if (bridge == nullptr || !bridge->is_bridge() || bridge->port_type != PortType::unknown) return;
    blockers.push_back(undecided(Code::config_unreadable, {.where = address.to_string(),
                                                           .observed = "a bridge whose capabilities could not be read",
                                                           .needed = "config space beyond byte 64, read by root",
                                                           .remedy = "sudo lspci -xxxx",
                                                           .isolation = ""}));
  };
  // From the second on: the first of each arm is initiator or target, judged as what they are.
  for (std::size_t i = 1; i < path.initiator_arm.size(); ++i) judge_bridge(path.initiator_arm[i]);
  if (path.common) judge_bridge(*path.common);
  for (std::size_t i = 1; i < path.target_arm.size(); ++i) judge_bridge(path.target_arm[i]);
}

}  // namespace

Verdict judge(const Machine& machine, const PlatformTables& tables, const Address& initiator, const TargetName& target,
              const JudgeOptions& options) {
  Verdict verdict;
  verdict.initiator = initiator;
  verdict.target = target;

  const auto* from = machine.find(initiator);
  const auto* to = machine.find(target.device);
  require_found(from, initiator, verdict.blockers);
  if (initiator != target.device) require_found(to, target.device, verdict.blockers);
  if (from == nullptr || to == nullptr) {
    verdict.kernel.present = machine.host().kernel_p2pdma;
    verdict.conclude();
    return verdict;
  }

  const auto path = path_between(machine, *from, *to);
  const auto kernel = apply_kernel_rule(machine, tables, *from, *to, path);
  auto route = find_route(machine, *from, *to, kernel);
  verdict.kernel = kernel.rule;
  verdict.notes = kernel.notes;
  verdict.route = route.route;
  verdict.blockers = std::move(route.blockers);

  judge_path(machine, path, verdict.blockers);
  judge_range(*to, target, verdict.blockers);
  if (verdict.route == Route::switched) {
    auto beyond = judge_reach(*from, *to, target, options.address_bits);
    verdict.blockers.insert(verdict.blockers.end(), beyond.begin(), beyond.end());
  }
  judge_host(machine.host(), verdict.blockers);
  judge_initiator(machine, *from, {verdict.blockers, verdict.notes});
  judge_group(machine, *from, verdict.blockers);
  if (from != to) {
    judge_target(machine, *to, {verdict.blockers, verdict.notes});
    if (from->iommu_group != to->iommu_group) judge_group(machine, *to, verdict.blockers);
  }
  verdict.conclude();
  return verdict;
}

}  // namespace p2pd
