// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The reach set, which is found by search over the tree, equals what a router of addresses delivers: every address of every
// BAR is sent from the initiator, and goes by bridge windows and ACS as hardware would take it.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "drawn_machine.h"
#include "topology/topology.h"

namespace p2pd::test {

namespace {

bool claims(const std::optional<Range<BusAddress>>& range, std::uint64_t address) {
  return range && range->length.value != 0 && range->begin.value <= address && address <= range->last();
}

bool decodes(const Function& function, std::uint64_t address) {
  return std::any_of(function.bars.begin(), function.bars.end(), [&](const Bar& bar) {
    return bar.is_memory && bar.bus_address && claims(make_range(*bar.bus_address, bar.size), address);
  });
}

// The builder's windows have the BARs of the bridge itself in them.
bool forwards_down(const Function& bridge, std::uint64_t address) {
  return bridge.bridge && !decodes(bridge, address) &&
         (claims(bridge.bridge->memory, address) || claims(bridge.bridge->prefetchable, address));
}

// Whether what turns at a function may go to the peer: off, or not known.
bool may_turn(const Function& at, std::uint16_t redirects) {
  return at.acs.state != Acs::State::present || (at.acs.control & redirects) == 0;
}

class Router {
 public:
  explicit Router(const Machine& machine) : machine_(machine) {}

  // Where a request ends that does not get to the root complex; null: there.
  const Function* send(const Function& from, std::uint64_t address) {
    // Inside the device.
    for (const auto& other : machine_.functions())
      if (&other != &from && other.parent == from.parent && (decodes(other, address) || forwards_down(other, address)))
        return may_turn(from, Acs::request_redirect) ? deliver(other, address) : up(*machine_.find(*from.parent), address);
    return up(*machine_.find(*from.parent), address);
  }

 private:
  // A port gets it from below.
  const Function* up(const Function& port, std::uint64_t address) {
    if (decodes(port, address)) {
      if (port.port_type == PortType::switch_upstream || may_turn(port, Acs::request_redirect)) return &port;
    }
    if (port.port_type == PortType::root_port) return nullptr;
    if (port.port_type == PortType::switch_downstream) {
      const bool sends_on = port.acs.state == Acs::State::present && (port.acs.control & Acs::upstream_forwarding) != 0;
      if (forwards_down(port, address) && !sends_on) return down(port, address);
      if (may_turn(port, Acs::request_redirect)) {
        for (const auto& peer : machine_.functions())
          if (&peer != &port && peer.parent == port.parent && (decodes(peer, address) || forwards_down(peer, address)))
            return deliver(peer, address);
        const auto& upstream = *machine_.find(*port.parent);
        if (decodes(upstream, address)) return &upstream;
      }
      // Past the upstream port, whose own memory it was kept from.
      return up(*machine_.find(*machine_.find(*port.parent)->parent), address);
    }
    return up(*machine_.find(*port.parent), address);
  }

  const Function* deliver(const Function& to, std::uint64_t address) { return decodes(to, address) ? &to : down(to, address); }

  const Function* down(const Function& bridge, std::uint64_t address) {
    for (const auto& below : machine_.functions())
      if (below.parent == bridge.address && (decodes(below, address) || forwards_down(below, address)))
        return deliver(below, address);
    return nullptr;
  }

  const Machine& machine_;
};

RC_GTEST_PROP(ReachSet, IsWhatARouterOfAddressesDelivers, ()) {
  auto functions = DrawnTree().machine().functions();
  // Egress Control has tests of its own; a drawn one has no vector.
  for (auto& function : functions) function.acs.control = static_cast<std::uint16_t>(function.acs.control & ~Acs::egress_control);
  const Machine machine({}, functions);
  const auto& initiator = drawn_endpoint(machine);
  Router router(machine);
  std::set<Address> delivered;
  for (const auto& function : machine.functions())
    for (const auto& bar : function.bars)
      if (&function != &initiator && bar.bus_address && function.parent)
        if (const auto* at_end = router.send(initiator, bar.bus_address->value)) delivered.insert(at_end->address);
  const auto reach = reach_set(machine, initiator).functions;
  RC_CLASSIFY(!reach.empty(), "reaches something");
  RC_ASSERT(std::vector<Address>(delivered.begin(), delivered.end()) == reach);
}

}  // namespace

}  // namespace p2pd::test
