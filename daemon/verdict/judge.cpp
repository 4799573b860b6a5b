// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/judge.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "platform/kernel_release.h"
#include "platform/ports.h"
#include "topology/topology.h"
#include "verdict/codes.h"
#include "verdict/conditions.h"
#include "verdict/described.h"
#include "verdict/findings.h"
#include "verdict/notes.h"
#include "verdict/path_conditions.h"
#include "verdict/route.h"
#include "verdict/route_findings.h"

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

// One IOMMU group is one address space and one client: p2pd has the target open, so nobody can be lent the initiator.
void judge_common_group(const HostFacts& host, const Function& initiator, const Function& target, const Path& path,
                        Findings& findings) {
  if (&initiator == &target) return;
  const bool is_told = initiator.iommu_group && target.iommu_group;
  if (is_told ? initiator.iommu_group != target.iommu_group : host.is_live || !would_share_group(path)) return;
  findings.report(Code::same_iommu_group, is_told, [&]() -> Finding {
    return {.where = fmt::format("{}, {}", initiator.address.to_string(), target.address.to_string()),
            .observed = is_told ? fmt::format("both are in IOMMU group {}", *initiator.iommu_group)
                                : "the dump does not tell IOMMU groups, and the kernel would put both into one",
            .needed = "groups of their own: a group has one address space",
            .remedy = is_told ? "" : "sudo lspci -vvxxxxD",
            .isolation = ""};
  });
}

// Who reads that the initiator does not reach so far wants to know who says so.
void name_entry(const InitiatorEntry& entry, std::vector<Blocker>& blockers) {
  for (auto& blocker : blockers)
    if (blocker.code == facts_of(Code::beyond_dma_mask).name)
      blocker.observed += fmt::format(" ({}: {}, {})", entry.about.what, entry.about.source, entry.about.place);
}

// What the rules know to be closed stays so, whatever a description says of it.
Tristate as_described(Tristate described, Tristate ruled) { return ruled == Tristate::no ? Tristate::no : described; }

struct DescribedRouting {
  Routing routing;
  bool is_by_description = false;  // it decided, or what it says is against the pair
  bool is_refused = false;         // what goes up to the root complex is known not to come down, whatever it says
};

// Between domains find_route() asks the root complex only where an entry joins them.
void tell_refused(const RouteQuestion& question, Findings& findings) {
  if (question.root_complex.joins_domains) return;
  if (question.forwards.writes == Tristate::no)
    tell_no_way_through_root(question, {}, findings);
  else
    tell_reads_not_forwarded(question, findings);
}

// Where the rules leave it open the description decides, unless what it says would not come down again; else they do.
DescribedRouting find_described_route(const RouteQuestion& question, const Description& description, Findings& findings) {
  Findings by_rules;
  auto routing = find_route(question, by_rules);
  const bool is_between_domains = question.initiator.address.domain != question.target.address.domain;
  // In a virtual machine root complexes are made up. Elsewhere what is described goes up, by all that is above the two: its
  // address is nobody's before the root complex.
  const bool is_physical = question.machine.host().virtualization == "none";
  const auto up = is_physical ? way_through_root(question) : Forwards{};
  const bool is_refused = is_closed(up, question.access);
  // Who describes a pair as unknown says nothing. The rules of a physical machine do, and know remedies.
  const bool says_something = !is_physical || least_of(description.reach, question.access) != Tristate::unknown;
  if (!is_refused && says_something &&
      is_left_open({.route = routing.route, .weight = by_rules.weight(), .is_between_domains = is_between_domains})) {
    const auto translated = is_between_domains ? Answer::unknown : routing.directions.translated;
    routing.route = judge_description(description, question.access, findings);
    routing.expected = is_physical ? Route::root_complex : Route::described;
    routing.directions = {.writes = as_described(description.reach.writes, up.writes),
                          .reads = as_described(description.reach.reads, up.reads),
                          .translated = as_described(Answer::unknown, translated)};
    routing.decided_by = Rule::description;
    return {.routing = routing, .is_by_description = true};
  }
  if (is_refused && is_between_domains) tell_refused(question, findings);
  const bool is_against = judge_contradiction(description, question.access, findings);
  return {.routing = find_route(question, findings),
          .is_by_description = is_against && routing.route != Route::none,
          .is_refused = is_refused && routing.route == Route::none};
}

struct Between {
  PathQuestion path;
  std::optional<Description> description;
  bool is_by_description = false;
  bool is_refused = false;           // so the description does not count
  const About* is_unsafe = nullptr;  // an operator's entry without which the root complex would not count
  KernelRule::MapType map_type = KernelRule::MapType::unknown;
  Rule decided_by = Rule::route;
};

struct Ends {
  const Place& initiator;
  const Place& target;
  const TargetName& name;
};

// All that neither end has alone.
Between judge_between(const Machine& machine, const PlatformTables& tables, const Ends& ends, const JudgeOptions& options,
                      Findings& findings) {
  const auto& [initiator, target, name] = ends;
  const auto path = path_between(initiator.way, target.way);
  const auto kernel = apply_kernel_rule(machine.host(), tables, initiator, target, path);
  const auto root_complex = root_complex_between(machine.host(), tables, initiator.known_as, target.known_as);
  const RouteQuestion asked{.machine = machine,
                            .initiator = *initiator.function,
                            .target = *target.function,
                            .path = path,
                            .root_complex = root_complex,
                            .forwards = {.writes = root_complex.writes, .reads = root_complex.reads},
                            .access = options.access};
  auto description = describe(tables.peers, *initiator.function, *target.function);
  const auto [routing, is_by_description, is_refused] =
      description ? find_described_route(asked, *description, findings) : DescribedRouting{find_route(asked, findings)};
  const PathQuestion question{.machine = machine,
                              .initiator = initiator,
                              .target = target,
                              .path = path,
                              .route = routing.route,
                              .expected = routing.expected,
                              .directions = routing.directions};
  judge_path(question, findings);
  judge_tags(question, options.access, findings);
  judge_cookie(question, name, options.address_bits, findings);
  judge_common_group(machine.host(), *initiator.function, *target.function, path, findings);
  return {.path = question,
          .description = std::move(description),
          .is_by_description = is_by_description,
          .is_refused = is_refused,
          .is_unsafe = routing.route == Route::root_complex ? root_complex.is_unsafe : nullptr,
          .map_type = kernel,
          .decided_by = routing.decided_by};
}

Weight weight_of(const std::vector<Blocker>& blockers) {
  Weight weight;
  for (const auto& blocker : blockers) weight.add(blocker.severity, blocker.is_certain);
  return weight;
}

}  // namespace

Verdict judge(const Machine& machine, const PlatformTables& tables, const Address& initiator, const TargetName& target,
              const JudgeOptions& asked) {
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
  auto options = asked;
  const auto running = kernel_of_entries(machine.host(), tables);
  const auto* entry = asked.address_bits == 0 ? find_initiator(tables, running, *from) : nullptr;
  if (options.address_bits == 0) options.address_bits = address_bits_of(tables, running, *from);
  const auto initiator_place = place_of(machine, tables, kernel, *from);
  const auto target_place = place_of(machine, tables, kernel, *to);
  const auto between = judge_between(machine, tables, {initiator_place, target_place, target}, options, findings);
  verdict.route = between.path.route;
  verdict.directions = between.path.directions;
  verdict.decided_by = between.decided_by;
  if (between.is_by_description) verdict.evidence = Evidence::described;
  verdict.kernel.map_type = between.map_type;
  verdict.kernel.distance = between.path.path.distance;
  verdict.kernel.table = kernel_name(kernel);
  verdict.notes = notes_about_table(machine.host(), tables);
  if (!machine.host().is_live)
    verdict.notes.emplace_back(
        "not-in-a-dump: which regions firmware reserved for a function (RMRR), and whether it is in no-IOMMU mode: the kernel "
        "gives no function that has such a region to VFIO, p2pd lends none that has no IOMMU");
  note_path(between.path, verdict.kernel, verdict.notes);
  note_ports(between.path, tables, verdict.notes);
  if (between.is_unsafe != nullptr) note_unsafe(*between.is_unsafe, verdict.notes);
  for (const auto& mask : tables.unsafe_masks)
    verdict.notes.push_back(fmt::format("unsafe-platform-entry: all that the shipped file of this name forbids ({})", mask));
  if (between.description) note_description(*between.description, between.is_refused, verdict.notes);
  if (entry != nullptr) {
    name_entry(*entry, verdict.blockers);
    if (entry->about.is_unsafe) note_unsafe(entry->about, verdict.notes);
  }

  judge_range(*to, target, verdict.blockers);
  judge_windows(machine, *to, target, verdict.blockers);
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
  end.address_bits = address_bits_of(tables_, kernel_of_entries(machine_.host(), tables_), *function);
  judge_initiator(machine_, *function, {end.blockers, notes});
  judge_group(machine_, *function, end.group_blockers);
  return end;
}

PairEnd Outliner::target(const TargetName& name) const {
  PairEnd end;
  end.target = name;
  const auto* function = machine_.find(name.device);
  if (function == nullptr) return end;
  std::vector<std::string> notes;
  end.place = place_of(machine_, tables_, kernel_, *function);
  judge_range(*function, name, end.blockers);
  judge_windows(machine_, *function, name, end.blockers);
  judge_target(machine_, *function, {end.blockers, notes});
  judge_group(machine_, *function, end.group_blockers);
  return end;
}

Outline Outliner::between(const PairEnd& initiator, const PairEnd& target, const JudgeOptions& asked) const {
  if (initiator.place.function == nullptr || target.place.function == nullptr)
    return {.possible = Answer::no, .answer = Answer::no};
  const auto& from = *initiator.place.function;
  const auto& to = *target.place.function;
  auto options = asked;
  if (options.address_bits == 0) options.address_bits = initiator.address_bits;
  Findings findings;
  const auto route =
      judge_between(machine_, tables_, {initiator.place, target.place, target.target}, options, findings).path.route;
  auto weight = findings.weight();
  weight.add(host_weight_);
  weight.add(initiator.weight);
  weight.add(initiator.group_weight);
  weight.add(target.weight);
  if (from.iommu_group != to.iommu_group) weight.add(target.group_weight);
  return {.possible = weight.possible(), .answer = weight.answer(), .route = route};
}

}  // namespace p2pd
