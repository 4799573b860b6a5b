// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The route follows the kernel's rule but for three things: different domains are a no where the kernel does not look
// at them, a virtual machine is unknown where the kernel does not ask, and a root complex that is in no list is unknown.
// The list names what somebody tried: not being in it means "not known to work", which is neither yes nor no. That a
// redirect brought the request there changes nothing about it.
#include "verdict/route.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "verdict/codes.h"

namespace p2pd {

namespace {

std::string names_of(const std::vector<const Function*>& functions, std::string_view separator) {
  std::vector<std::string> names;
  names.reserve(functions.size());
  for (const auto* function : functions) names.push_back(function->address.to_string());
  return fmt::format("{}", fmt::join(names, separator));
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
    controls.push_back(fmt::format("{} ACS control {:#06x} ({})", function->address.to_string(), function->acs.control,
                                   redirect_bits(function->acs)));
  return fmt::format("{}", fmt::join(controls, ", "));
}

// The remedy names every function that redirects, in the kernel's syntax (';' between them).
void tell_redirected(const KernelFinding& kernel, const Path& path, Findings& findings) {
  const auto tell = [&]() -> Finding {
    const auto ports = redirecting(path);
    return {.where = names_of(ports, ", "),
            .observed = fmt::format("{}; root complex: {}", controls_of(ports), kernel.root_complex.reason()),
            .needed = "no ACS redirect (RR, CR, EC) on the path, or a root complex known to forward peer requests",
            .remedy = "pci=disable_acs_redir=" + names_of(ports, ";"),
            .isolation = "functions below these ports reach each other without passing the IOMMU"};
  };
  // Certain only where it is known that it does not forward.
  if (kernel.root_complex.forwarding == Forwarding::same_bridge_only)
    findings.block(Code::acs_redirect_no_root_complex, tell);
  else
    findings.doubt(Code::acs_redirect_no_root_complex, tell);
}

void tell_not_forwarded(const RootComplex& root_complex, Findings& findings) {
  const auto tell = [&]() -> Finding {
    return {.where = root_complex.where(),
            .observed = root_complex.reason(),
            .needed = "a root complex known to forward peer requests, or both functions below one switch",
            .remedy = "",
            .isolation = ""};
  };
  if (root_complex.forwarding == Forwarding::same_bridge_only)
    findings.block(Code::different_host_bridge, tell);
  else
    findings.doubt(Code::root_complex_unknown, tell);
}

void tell_acs_not_read(const Path& path, Findings& findings) {
  findings.doubt(Code::acs_unknown, [&]() -> Finding {
    return {.where = names_of(unread(path), ", "),
            .observed = "the ACS control could not be read",
            .needed = "extended config space, read by root",
            .remedy = "sudo lspci -xxxx",
            .isolation = ""};
  });
}

void tell_same_function(const Function& function, Findings& findings) {
  findings.block(Code::same_function, [&]() -> Finding {
    return {.where = function.address.to_string(),
            .observed = "initiator and target are one function",
            .needed = "two functions: a function with an enabled target is never lent",
            .remedy = "",
            .isolation = ""};
  });
}

void tell_different_domain(const Address& initiator, const Address& target, Findings& findings) {
  findings.block(Code::different_domain, [&]() -> Finding {
    return {.where = fmt::format("{}, {}", initiator.to_string(), target.to_string()),
            .observed = fmt::format("domains {:04x} and {:04x}", initiator.domain, target.domain),
            .needed = "one domain: a completion carries no domain, nothing is known that brings it back",
            .remedy = "",
            .isolation = ""};
  });
}

}  // namespace

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

Route find_route(const HostFacts& host, const Function& initiator, const Function& target, const Path& path,
                 const KernelFinding& kernel, Findings& findings) {
  if (initiator.address == target.address) {
    tell_same_function(initiator, findings);
    return Route::local;
  }
  const bool is_one_domain = initiator.address.domain == target.address.domain;
  if (!is_one_domain) tell_different_domain(initiator.address, target.address, findings);
  const bool is_physical = judge_virtualization(host, findings);
  if (!is_one_domain || !is_physical) return Route::none;

  switch (kernel.map_type) {
    case KernelRule::MapType::bus_address: return Route::switched;
    case KernelRule::MapType::through_host_bridge: return Route::root_complex;
    case KernelRule::MapType::not_supported:
    case KernelRule::MapType::unknown: break;
  }
  if (kernel.is_redirected)
    tell_redirected(kernel, path, findings);
  else if (kernel.is_unread)
    tell_acs_not_read(path, findings);
  else
    tell_not_forwarded(kernel.root_complex, findings);
  return Route::none;
}

void judge_reach(const Function& initiator, const Function& target, const TargetName& name, unsigned address_bits,
                 Findings& findings) {
  if (address_bits >= 64) return;
  const auto* bar = target.find_bar(name.bar);
  if (bar == nullptr || !bar->bus_address) return;
  const auto rest = bar->size.value - std::min(bar->size.value, name.offset.value);
  const auto length = std::max<std::uint64_t>(name.length.value != 0 ? name.length.value : rest, 1);
  const auto first = bar->bus_address->value + name.offset.value;
  const auto range = make_range(BusAddress{first}, Bytes{length});
  const auto reach = (std::uint64_t{1} << address_bits) - 1;
  if (range && range->last() <= reach) return;
  findings.block(Code::beyond_dma_mask, [&]() -> Finding {
    return {
        .where = initiator.address.to_string(),
        .observed = fmt::format("{} is at bus address {:#x}, the initiator reaches up to {:#x}", name.to_string(), first, reach),
        .needed = "a bus address that the initiator reaches: on a switch route it is the cookie",
        .remedy = "",
        .isolation = ""};
  });
}

}  // namespace p2pd
