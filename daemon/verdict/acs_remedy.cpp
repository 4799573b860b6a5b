// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/acs_remedy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "platform/kernel_release.h"
#include "topology/topology.h"

namespace p2pd {

namespace {

constexpr std::size_t most_priced = 16;  // functions; a port may have hundreds below it
constexpr std::size_t most_named = 8;

// `pci=config_acs=` came with 6.11, and works since 6.15 (commit 9cf8a952d57b).
bool has_config_acs(const HostFacts& host) {
  constexpr unsigned works_since = 6015;
  return parse_kernel_release(host.kernel_release).value_or(0) >= works_since;
}

// FLAGS@PORT, bits from the right: SV TB RR CR UF EC DT. All are said: one that is left to `x` goes back to what firmware had
// set, not to what the kernel sets by itself (drivers/pci/pci.c __pci_config_acs()).
std::string flags_for(const Function& port, std::uint16_t control) {
  std::string flags;
  for (unsigned bit = 7; bit-- > 0;) flags += (control >> bit & 1U) != 0 ? '1' : '0';
  return fmt::format("{}@{}", flags, port.address.to_string());
}

// A file of platform.d knows it: what it does with requests hangs on its wiring, or on a register of its own.
bool has_other_acs(const Function& port) { return port.standard_acs.has_value(); }

std::string name_some(const std::vector<Address>& addresses) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(addresses.size(), most_named); ++i) names.push_back(addresses[i].to_string());
  const auto rest = addresses.size() - names.size();
  return fmt::format("{}{}", fmt::join(names, ", "), rest != 0 ? fmt::format(" and {} more", rest) : "");
}

// Functions whose requests these decide about: themselves, and what is below them.
std::vector<const Function*> behind(const Machine& machine, std::span<const Function* const> ports) {
  std::vector<const Function*> found;
  std::vector<const Function*> waiting(ports.begin(), ports.end());
  std::vector<const Function*> seen;
  while (!waiting.empty()) {
    const auto* next = waiting.back();
    waiting.pop_back();
    if (!next->is_bridge()) {
      found.push_back(next);
      continue;
    }
    if (std::find(seen.begin(), seen.end(), next) != seen.end()) continue;
    seen.push_back(next);
    const auto children = machine.children_of(next->address);
    waiting.insert(waiting.end(), children.begin(), children.end());
  }
  std::sort(found.begin(), found.end(), [](const Function* a, const Function* b) { return a->address < b->address; });
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace

std::string clear_redirects(const HostFacts& host, std::span<const Function* const> ports) {
  if (ports.empty()) return "";
  constexpr std::uint16_t redirects = Acs::request_redirect | Acs::completion_redirect | Acs::egress_control;
  const bool is_precise = has_config_acs(host);
  std::vector<std::string> items;
  items.reserve(ports.size());
  for (const auto* port : ports) {
    const unsigned cleared = port->acs_by_standard().control & ~unsigned{redirects};
    items.push_back(is_precise ? flags_for(*port, static_cast<std::uint16_t>(cleared)) : port->address.to_string());
  }
  return fmt::format("pci={}={}", is_precise ? "config_acs" : "disable_acs_redir", fmt::join(items, ";"));
}

std::string clear_egress_control(const HostFacts& host, const Function& port) {
  if (has_other_acs(port)) return "";
  const auto name = port.address.to_string();
  // Request Redirect too: alone it would send up what the vector may have let pass.
  constexpr unsigned both = Acs::egress_control | Acs::request_redirect;
  if (has_config_acs(host)) return "pci=config_acs=" + flags_for(port, static_cast<std::uint16_t>(port.acs.control & ~both));
  if (host.lockdown == Tristate::yes) return "pci=disable_acs_redir=" + name;
  return fmt::format("setpci -s {} ECAP_ACS+6.w=0000:0024", name);
}

std::string set_upstream_forwarding(const HostFacts& host, std::span<const Function* const> ports) {
  std::vector<std::string> items;
  std::vector<std::string> commands;
  for (const auto* port : ports) {
    const auto& acs = port->acs;
    if (has_other_acs(*port) || acs.state != Acs::State::present || (acs.capability & Acs::upstream_forwarding) == 0) return "";
    items.push_back(flags_for(*port, acs.control | Acs::upstream_forwarding));
    commands.push_back(fmt::format("setpci -s {} ECAP_ACS+6.w=0010:0010", port->address.to_string()));
  }
  if (has_config_acs(host)) return fmt::format("pci=config_acs={}", fmt::join(items, ";"));
  return host.lockdown == Tristate::yes ? "" : fmt::format("{}", fmt::join(commands, " && "));
}

std::string price_of_clearing(const Machine& machine, std::span<const Function* const> ports) {
  std::vector<std::string> prices;
  const auto functions = behind(machine, ports);
  for (std::size_t i = 0; i < std::min(functions.size(), most_priced); ++i) {
    const auto before = reach_set(machine, *functions[i]).functions;
    const auto after = reach_set(machine, *functions[i], ports).functions;
    std::vector<Address> gained;
    std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(gained));
    if (gained.empty()) continue;
    prices.push_back(fmt::format("{} reaches {} more ({} before, {} after): {}", functions[i]->address.to_string(), gained.size(),
                                 before.size(), after.size(), name_some(gained)));
  }
  if (functions.size() > most_priced)
    prices.push_back(fmt::format("{} more functions below these ports were not counted", functions.size() - most_priced));
  if (prices.empty()) return "";
  return fmt::format("past the IOMMU {}", fmt::join(prices, "; "));
}

}  // namespace p2pd
