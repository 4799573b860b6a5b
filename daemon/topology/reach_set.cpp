// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an initiator can address without passing the IOMMU. The rule, from PCIe 6.0 §6.12:
//
//  * A request is judged where its path leaves the way up: by Request Redirect and Egress Control of the function that
//    sends it (towards other functions of its device) or of the downstream port that receives it (towards the other
//    ports of its switch). ACS at the target's side governs completions only.
//  * A request that was redirected further down and meets a downstream port without Upstream Forwarding is routed by its
//    address, which may lead back below the same port.
//  * On conventional buses everybody sees everything; ACS does not exist there.
//  * The IOMMU sits in the root complex: what reaches a root port from below is translated there. Whether root ports
//    forward to each other before that is no business of ACS bits that we could read (Linux knows it by quirk tables);
//    such functions share an IOMMU group, which is a condition of its own for lending.
//  * A translated request (ATS) passes every redirect where Direct Translated is on and Translation Blocking off.
//
// Found by walking down from the levels that are open: what it costs goes by what is in reach, not by the machine.
#include <algorithm>
#include <span>

#include "topology/acs.h"
#include "topology/topology.h"

namespace p2pd {

namespace {

// ACS Enhanced, PCIe 6.0 §7.7.11: with it, BARs of the ports themselves have controls of their own, and 00 means that
// a port lets them be addressed directly even where it redirects peer requests.
constexpr std::uint16_t enhanced_capability = 0x0080;
constexpr std::uint16_t downstream_port_memory = 0x0300;
constexpr std::uint16_t upstream_port_memory = 0x0c00;

bool leaves_port_memory_open(const Function& port, std::uint16_t field) {
  return port.acs.state == Acs::State::present && (port.acs.capability & enhanced_capability) != 0 &&
         (port.acs.control & field) == 0;
}

bool forwards_up(const Function& port) {
  return port.acs.state == Acs::State::present && (port.acs.control & Acs::upstream_forwarding) != 0;
}

const Address& device_of(const Function& function) {
  return function.physical_function ? *function.physical_function : function.address;
}

class Walk {
 public:
  Walk(const Machine& machine, const Function& initiator, std::span<const Function* const> cleared)
      : machine_(machine), initiator_(initiator), cleared_(cleared), way_(way_up(machine, initiator)) {}

  ReachSet run() {
    leads_back_below_ = highest_that_leads_back();
    // The bridge above the topmost is not in the picture: who is beside it is not known.
    if (way_.back()->parent) reach_.is_complete = false;
    add_device_siblings();
    for (std::size_t level = 0; level < way_.size(); ++level) add_level(level);
    // An initiating bridge, which is nothing that is ever lent: what is below it.
    for (const auto* child : machine_.children_of(initiator_.address)) add_subtree(*child);
    auto& found = reach_.functions;
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return std::move(reach_);
  }

 private:
  // 0: nowhere. Else: everything on the way below this level is open.
  [[nodiscard]] std::size_t highest_that_leads_back() const {
    for (auto level = way_.size(); level-- > 1;)
      if (way_[level]->port_type == PortType::switch_downstream && !forwards_up(*way_[level])) return level;
    return 0;
  }

  [[nodiscard]] Turn turn(const Function& at, const Function& towards) const {
    if (std::find(cleared_.begin(), cleared_.end(), &at) != cleared_.end()) return Turn::direct;
    const auto plain = turn_of_request(at, towards);
    if (plain == Turn::direct || turn_of_translated(at, towards) != Turn::direct) return plain;
    // It sends either kind, or may do so.
    const auto ats = initiator_.ats_once_lent();
    if (!ats) return Turn::unknown;
    return *ats ? Turn::direct : plain;
  }

  // Notes whether it is known.
  bool lets_pass(const Function& at, const Function& towards) {
    const auto turns = turn(at, towards);
    if (turns == Turn::unknown) reach_.is_complete = false;
    return turns == Turn::direct || turns == Turn::unknown;
  }

  void add_level(std::size_t level) {
    const auto& node = *way_[level];
    if (level > 0) {
      if (node.port_type == PortType::unknown || (!has_no_acs(node) && node.acs.state == Acs::State::unknown))
        reach_.is_complete = false;
      if (level < leads_back_below_ || (has_own_memory(node) && is_own_memory_open(level))) add(node);
    }
    if (level + 1 == way_.size()) return;  // beside the topmost is the root complex
    const auto& bridge = *way_[level + 1];
    for (const auto* peer : machine_.children_of(bridge.address)) {
      if (peer == &node) continue;
      if (level < leads_back_below_ || is_shared_bus_below(bridge) || (has_memory(*peer) && lets_pass(node, *peer)))
        add_subtree(*peer);
    }
  }

  // Who decides about the BARs of a port: a downstream port itself, for an upstream port the one below it.
  bool is_own_memory_open(std::size_t level) {
    const auto& node = *way_[level];
    const bool is_upstream = node.port_type == PortType::switch_upstream;
    if (!is_upstream && node.port_type != PortType::switch_downstream && node.port_type != PortType::root_port) return true;
    const auto& decides = is_upstream ? *way_[level - 1] : node;
    if (leaves_port_memory_open(decides, is_upstream ? upstream_port_memory : downstream_port_memory)) return true;
    return lets_pass(decides, node);
  }

  // On a root bus: the other functions of the initiator's own device, VFs with their PF.
  void add_device_siblings() {
    if (way_.size() != 1) return;
    const auto& own = device_of(initiator_);
    for (const auto& sibling : machine_.functions_on_bus(own.domain, own.bus)) {
      if (sibling.address.device != own.device) continue;
      add_sibling(sibling);
      for (const auto& address : sibling.virtual_functions)
        if (const auto* function = machine_.find(address)) add_sibling(*function);
    }
  }

  void add_sibling(const Function& sibling) {
    if (&sibling == &initiator_ || sibling.parent || sibling.root_domain != initiator_.root_domain ||
        sibling.root_bus != initiator_.root_bus)
      return;
    if (has_memory(sibling) && lets_pass(initiator_, sibling)) add(sibling);
  }

  // Whether anything there has memory is asked before ACS is: what is unknown about nothing is no doubt.
  [[nodiscard]] bool has_memory(const Function& top) const {
    return has_own_memory(top) || !machine_.children_of(top.address).empty();
  }

  static bool has_own_memory(const Function& function) {
    return std::any_of(function.bars.begin(), function.bars.end(), [](const Bar& bar) { return bar.is_memory; });
  }

  void add(const Function& function) {
    if (has_own_memory(function)) reach_.functions.push_back(function.address);
  }

  void add_subtree(const Function& top) {
    std::vector<const Function*> waiting{&top};
    std::vector<const Function*> seen{&initiator_};  // bridges: a dump can be crafted so that two stand above each other
    while (!waiting.empty()) {
      const auto* next = waiting.back();
      waiting.pop_back();
      add(*next);
      if (!next->is_bridge() || std::find(seen.begin(), seen.end(), next) != seen.end()) continue;
      seen.push_back(next);
      const auto children = machine_.children_of(next->address);
      waiting.insert(waiting.end(), children.begin(), children.end());
    }
    std::erase(reach_.functions, initiator_.address);
  }

  const Machine& machine_;
  const Function& initiator_;
  std::span<const Function* const> cleared_;
  Way way_;
  std::size_t leads_back_below_ = 0;
  ReachSet reach_;
};

}  // namespace

ReachSet reach_set(const Machine& machine, const Function& initiator, std::span<const Function* const> cleared) {
  return Walk(machine, initiator, cleared).run();
}

std::vector<TargetName> targets_in(const Machine& machine, const ReachSet& reach) {
  std::vector<TargetName> targets;
  for (const auto& address : reach.functions)
    if (const auto* function = machine.find(address))
      for (const auto& bar : function->bars)
        if (bar.is_memory && bar.is_assigned) targets.push_back({function->address, bar.index, {}, {}});
  return targets;
}

}  // namespace p2pd
