// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/judge.h"

#include <utility>

#include "platform/kernel_release.h"
#include "topology/topology.h"
#include "verdict/codes.h"
#include "verdict/conditions.h"
#include "verdict/described.h"
#include "verdict/findings.h"
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

Place place_of(const Machine& machine, const PlatformTables& tables, unsigned kernel, const Function& function) {
  return {.function = &function,
          .way = way_up(machine, function),
          .host_bridge = host_bridge_above(machine, tables, kernel, function)};
}

// Bridges between the two whose kind could not be read: what they do with a request is a guess.
void judge_path(const Path& path, Findings& findings) {
  const auto judge_bridge = [&](const Function& bridge) {
    if (!bridge.is_bridge() || bridge.port_type != PortType::unknown) return;
    findings.doubt(Code::config_unreadable, [&]() -> Finding {
      return {.where = bridge.address.to_string(),
              .observed = "a bridge whose capabilities could not be read",
              .needed = "config space beyond byte 64, read by root",
              .remedy = "sudo lspci -xxxx",
              .isolation = ""};
    });
  };
  // From the second on: the first of each arm is initiator or target, judged as what they are.
  for (std::size_t i = 1; i < path.initiator_arm.size(); ++i) judge_bridge(*path.initiator_arm[i]);
  if (path.common != nullptr) judge_bridge(*path.common);
  for (std::size_t i = 1; i < path.target_arm.size(); ++i) judge_bridge(*path.target_arm[i]);
}

struct Between {
  Route route = Route::none;
  std::optional<Description> description;
  const About* is_unsafe = nullptr;  // an operator's entry without which the root complex would not count
  KernelRule::MapType map_type = KernelRule::MapType::unknown;
  unsigned distance = 0;
};

bool is_between_domains(const Place& initiator, const Place& target) {
  return initiator.function->address.domain != target.function->address.domain;
}

// Where the rules leave it open the description decides, else they do.
template <class ByRules>
Route find_described_route(const Description& description, bool is_between_domains, const ByRules& by_rules, Findings& findings) {
  Findings weighed;
  const auto route = by_rules(weighed);
  const RuledWay way{.route = route, .weight = weighed.weight(), .is_between_domains = is_between_domains};
  if (is_left_open(way)) return judge_description(description, Access::read_write, findings);
  judge_contradiction(description, Access::read_write, findings);
  return by_rules(findings);
}

// An operator took it upon themselves: so whoever reads the verdict must know.
void note_unsafe(const About* about, std::vector<std::string>& notes) {
  if (about != nullptr) notes.push_back("unsafe-platform-entry: " + about->what + " (" + about->place + ")");
}

// Who reads that the initiator does not reach so far wants to know who says so.
void name_entry(const InitiatorEntry& entry, std::vector<Blocker>& blockers) {
  for (auto& blocker : blockers)
    if (blocker.code == facts_of(Code::beyond_dma_mask).name)
      blocker.observed += " (" + entry.about.what + ": " + entry.about.source + ", " + entry.about.place + ")";
}

// All that neither end has alone.
Between judge_between(const HostFacts& host, const PlatformTables& tables, const Place& initiator, const Place& target,
                      Findings& findings) {
  const auto path = path_between(initiator.way, target.way);
  const auto kernel = apply_kernel_rule(host, tables, initiator, target, path);
  const auto by_rules = [&](Findings& found) {
    return find_route(host, *initiator.function, *target.function, path, kernel, found);
  };
  auto description = describe(tables.peers, *initiator.function, *target.function);
  const auto route = description ? find_described_route(*description, is_between_domains(initiator, target), by_rules, findings)
                                 : by_rules(findings);
  judge_path(path, findings);
  const auto* is_unsafe = route == Route::root_complex ? kernel.root_complex.is_unsafe : nullptr;
  return {.route = route,
          .description = std::move(description),
          .is_unsafe = is_unsafe,
          .map_type = kernel.map_type,
          .distance = path.distance};
}

Weight weight_of(const std::vector<Blocker>& blockers) {
  Weight weight;
  for (const auto& blocker : blockers) weight.add(blocker.severity, blocker.is_certain);
  return weight;
}

}  // namespace

Verdict judge(const Machine& machine, const PlatformTables& tables, const Address& initiator, const TargetName& target,
              const JudgeOptions& options) {
  Verdict verdict;
  verdict.initiator = initiator;
  verdict.target = target;
  verdict.kernel.present = machine.host().kernel_p2pdma;

  const auto* from = machine.find(initiator);
  const auto* to = machine.find(target.device);
  require_found(from, initiator, verdict.blockers);
  if (initiator != target.device) require_found(to, target.device, verdict.blockers);
  if (from == nullptr || to == nullptr) {
    verdict.conclude();
    return verdict;
  }

  Findings findings(verdict.blockers);
  const auto kernel = choose_table(machine.host(), tables);
  const auto between = judge_between(machine.host(), tables, place_of(machine, tables, kernel, *from),
                                     place_of(machine, tables, kernel, *to), findings);
  verdict.route = between.route;
  // A way that is known is one for reads and writes alike.
  if (between.route == Route::described) {
    verdict.evidence = Evidence::described;
    verdict.directions = {
        .writes = between.description->reach.writes, .reads = between.description->reach.reads, .translated = Answer::unknown};
  } else if (between.route != Route::none)
    verdict.directions = {.writes = Answer::yes, .reads = Answer::yes, .translated = Answer::unknown};
  verdict.kernel.map_type = between.map_type;
  verdict.kernel.distance = between.distance;
  verdict.kernel.table = kernel_name(kernel);
  verdict.notes = notes_about_table(machine.host(), tables);
  note_unsafe(between.is_unsafe, verdict.notes);
  if (between.description) note_description(*between.description, verdict.notes);

  judge_range(*to, target, verdict.blockers);
  const auto* entry = options.address_bits == 0 ? find_initiator(tables, kernel, *from) : nullptr;
  const auto address_bits = options.address_bits != 0 ? options.address_bits : address_bits_of(tables, kernel, *from);
  if (verdict.route == Route::switched) judge_reach(*from, *to, target, address_bits, findings);
  if (entry != nullptr) {
    name_entry(*entry, verdict.blockers);
    note_unsafe(entry->about.is_unsafe ? &entry->about : nullptr, verdict.notes);
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

void PairEnd::conclude() {
  weight.add(weight_of(std::exchange(blockers, {})));
  group_weight.add(weight_of(std::exchange(group_blockers, {})));
}

Outliner::Outliner(const Machine& machine, const PlatformTables& tables)
    : machine_(machine), tables_(tables), kernel_(choose_table(machine.host(), tables)) {
  std::vector<Blocker> blockers;
  judge_host(machine.host(), blockers);
  host_weight_ = weight_of(blockers);
}

PairEnd Outliner::initiator(const Address& address) const {
  PairEnd end;
  const auto* function = machine_.find(address);
  if (function == nullptr) return end;
  std::vector<std::string> notes;
  end.place = place_of(machine_, tables_, kernel_, *function);
  end.address_bits = address_bits_of(tables_, kernel_, *function);
  judge_initiator(machine_, *function, {end.blockers, notes});
  judge_group(machine_, *function, end.group_blockers);
  return end;
}

PairEnd Outliner::target(const TargetName& name) const {
  PairEnd end{.target = name};
  const auto* function = machine_.find(name.device);
  if (function == nullptr) return end;
  std::vector<std::string> notes;
  end.place = place_of(machine_, tables_, kernel_, *function);
  judge_range(*function, name, end.blockers);
  judge_target(machine_, *function, {end.blockers, notes});
  judge_group(machine_, *function, end.group_blockers);
  return end;
}

Outline Outliner::between(const PairEnd& initiator, const PairEnd& target, const JudgeOptions& options) const {
  if (initiator.place.function == nullptr || target.place.function == nullptr)
    return {.possible = Answer::no, .answer = Answer::no};
  const auto& from = *initiator.place.function;
  const auto& to = *target.place.function;
  Findings findings;
  const auto route = judge_between(machine_.host(), tables_, initiator.place, target.place, findings).route;
  const auto address_bits = options.address_bits != 0 ? options.address_bits : initiator.address_bits;
  if (route == Route::switched) judge_reach(from, to, target.target, address_bits, findings);
  auto weight = findings.weight();
  weight.add(host_weight_);
  weight.add(initiator.weight);
  weight.add(initiator.group_weight);
  weight.add(target.weight);
  if (from.iommu_group != to.iommu_group) weight.add(target.group_weight);
  return {.possible = weight.possible(), .answer = weight.answer(), .route = route};
}

}  // namespace p2pd
