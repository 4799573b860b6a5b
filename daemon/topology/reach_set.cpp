// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an initiator can address without passing the IOMMU. The rule, from PCIe 6.0 §6.12:
//
//  * A request is judged where its path leaves the way up: by Request Redirect or Egress Control of the function that
//    sends it (towards other functions of its device) or of the downstream port that receives it (towards the other
//    ports of its switch). Egress Control's vector is not read and counts as a redirect, as in p2pdma.c. ACS at the
//    target's side governs completions only.
//  * A request that was redirected further down and meets a downstream port without Upstream Forwarding is routed by its
//    address, which may lead back below the same port.
//  * On conventional buses everybody sees everything; ACS does not exist there.
//  * The IOMMU sits in the root complex: what reaches a root port from below is translated there. Whether root ports
//    forward to each other before that is no business of ACS bits that we could read (Linux knows it by quirk tables);
//    such functions share an IOMMU group, which is a condition of its own for lending.
//  * A translated request (ATS) passes every redirect where Direct Translated is on and Translation Blocking off.
#include <algorithm>
#include <span>

#include "topology/topology.h"

namespace p2pd {

namespace {

// ACS Enhanced, PCIe 6.0 §7.7.11: with it, BARs of the ports themselves have controls of their own, and 00 means that
// a port lets them be addressed directly even where it redirects peer requests.
constexpr std::uint16_t enhanced_capability = 0x0080;
constexpr std::uint16_t downstream_port_memory = 0x0300;
constexpr std::uint16_t upstream_port_memory = 0x0c00;

bool has_no_acs(const Function& function) {
  return function.port_type == PortType::conventional || function.port_type == PortType::pcie_to_pci_bridge;
}

// A bridge whose secondary side is a shared bus, or may be one.
bool is_shared_bus_below(const Function& bridge) { return has_no_acs(bridge) || bridge.port_type == PortType::unknown; }

// Whether ACS of `function` keeps peer requests of the initiator from turning there.
Tristate sends_up(const Function& function, bool initiator_uses_ats) {
  if (has_no_acs(function)) return Tristate::no;
  if (function.acs.state == Acs::State::unknown) return Tristate::unknown;
  if (function.acs.state == Acs::State::absent) return Tristate::no;
  const auto control = function.acs.control;
  const auto translated_pass = (control & Acs::direct_translated) != 0 && (control & Acs::translation_blocking) == 0;
  if (initiator_uses_ats && translated_pass) return Tristate::no;
  return (control & (Acs::request_redirect | Acs::egress_control)) != 0 ? Tristate::yes : Tristate::no;
}

bool leaves_port_memory_open(const Function& port, std::uint16_t field) {
  return port.acs.state == Acs::State::present && (port.acs.capability & enhanced_capability) != 0 &&
         (port.acs.control & field) == 0;
}

// One node of the way up, and what a request can do there.
struct Level {
  const Function* node = nullptr;
  bool is_own_memory_open = false;  // the node's own BARs (ports)
  bool are_peers_open = false;      // what else is below the bridge above this node
  bool is_known = true;
};

// Who decides about the BARs of a port: a downstream port itself, for an upstream port the one below it.
Tristate sends_up_from_port(std::span<const Level> way, std::size_t at, bool ats) {
  const auto& node = *way[at].node;
  const bool is_upstream = node.port_type == PortType::switch_upstream;
  if (!is_upstream && node.port_type != PortType::switch_downstream && node.port_type != PortType::root_port) return Tristate::no;
  const auto& decides = is_upstream ? *way[at - 1].node : node;
  if (leaves_port_memory_open(decides, is_upstream ? upstream_port_memory : downstream_port_memory)) return Tristate::no;
  return sends_up(decides, ats);
}

std::vector<Level> judge_way(const Machine& machine, const Function& initiator) {
  const bool ats = initiator.ats_enabled.value_or(false);
  std::vector<Level> way;
  for (const auto* node : way_up(machine, initiator)) way.push_back({.node = node});

  for (std::size_t i = 0; i < way.size(); ++i) {
    auto& level = way[i];
    const auto held = sends_up(*level.node, ats);
    const bool is_top = i + 1 == way.size();
    const bool is_shared = !is_top && is_shared_bus_below(*way[i + 1].node);
    // At the top only functions of the initiator's own device are beside it; beside a root port is the root complex.
    level.are_peers_open = (held != Tristate::yes || is_shared) && (!is_top || i == 0);
    if (i == 0) continue;
    level.is_own_memory_open = sends_up_from_port(way, i, ats) != Tristate::yes;
    level.is_known = held != Tristate::unknown && level.node->port_type != PortType::unknown;

    if (level.node->port_type != PortType::switch_downstream) continue;
    const bool forwards_up =
        level.node->acs.state == Acs::State::present && (level.node->acs.control & Acs::upstream_forwarding) != 0;
    if (forwards_up) continue;
    for (std::size_t below = 0; below < i; ++below) {
      way[below].are_peers_open = true;
      way[below].is_own_memory_open = true;
    }
  }
  return way;
}

const Address& device_of(const Function& function) {
  return function.physical_function ? *function.physical_function : function.address;
}

// Functions of one device of a root bus, VFs with their PF.
bool are_one_device(const Function& a, const Function& b) {
  const auto& left = device_of(a);
  const auto& right = device_of(b);
  return left.domain == right.domain && left.bus == right.bus && left.device == right.device;
}

// The level of the initiator's way that decides about `other`, and whether it lets requests through to it.
const Level* deciding_level(std::span<const Level> way, const Machine& machine, const Function& other, bool& is_open) {
  const auto level_of = [&](const Function& node) {
    return std::find_if(way.begin(), way.end(), [&](const Level& level) { return level.node->address == node.address; });
  };
  for (const auto* node : way_up(machine, other)) {
    const auto meets = level_of(*node);
    if (meets == way.end()) continue;
    if (node->address == other.address) {
      is_open = meets->is_own_memory_open;
      return &*meets;
    }
    // Below the initiator itself is only what an initiating bridge has: its own traffic does not pass above.
    const auto decides = meets == way.begin() ? meets : meets - 1;
    is_open = meets == way.begin() || decides->are_peers_open;
    return &*decides;
  }
  if (way.size() != 1 || other.parent || !are_one_device(*way.front().node, other)) return nullptr;
  is_open = way.front().are_peers_open;
  return &way.front();
}

}  // namespace

ReachSet reach_set(const Machine& machine, const Function& initiator) {
  const auto way = judge_way(machine, initiator);
  ReachSet reach;
  reach.is_complete = std::all_of(way.begin(), way.end(), [](const Level& level) { return level.is_known; });
  for (const auto& other : machine.functions()) {
    if (other.address == initiator.address || other.root_domain != initiator.root_domain || other.root_bus != initiator.root_bus)
      continue;
    const bool has_memory = std::any_of(other.bars.begin(), other.bars.end(), [](const Bar& bar) { return bar.is_memory; });
    bool is_open = false;
    if (!has_memory) continue;
    const auto* decides = deciding_level(way, machine, other, is_open);
    if (decides == nullptr || !is_open) continue;
    reach.functions.push_back(other.address);
    // A function of several, whose own ACS could not be read: its siblings are in, but that is a guess.
    if (decides == &way.front() && sends_up(*decides->node, false) == Tristate::unknown) reach.is_complete = false;
  }
  return reach;
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
