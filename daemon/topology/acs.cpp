// SPDX-License-Identifier: LGPL-2.1-or-later
#include "topology/acs.h"

#include <optional>

namespace p2pd {

namespace {

// By which number an Egress Control Vector of `at` knows the way to `towards`: ports by port number, functions of one device
// by function number. Nothing where functions are numbered otherwise (ARI, VFs).
std::optional<unsigned> egress_number(const Function& at, const Function& towards) {
  if (is_port(at)) return is_port(towards) && towards.port_number ? std::optional<unsigned>(*towards.port_number) : std::nullopt;
  if (at.physical_function || towards.physical_function || at.address.bus != towards.address.bus ||
      at.address.device != towards.address.device)
    return std::nullopt;
  return towards.address.function;
}

// A redirect that is off. A port that cannot redirect at all may do so by its wiring: the kernel's IOMMU groups take it for
// that (pci.c pci_acs_flags_enabled), so it is not known to let anything pass. A function of a device that could not
// redirect has no way to its siblings: who has one must be able to (PCIe 6.0 §6.12.1.2).
Turn not_redirected(const Function& at, std::uint16_t bit) {
  if ((at.acs.capability & bit) != 0) return Turn::direct;
  return is_port(at) ? Turn::unknown : Turn::up;
}

}  // namespace

bool is_port(const Function& function) {
  return function.port_type == PortType::root_port || function.port_type == PortType::switch_downstream;
}

bool has_no_acs(const Function& function) {
  return function.port_type == PortType::conventional || function.port_type == PortType::pcie_to_pci_bridge;
}

bool is_shared_bus_below(const Function& bridge) { return has_no_acs(bridge) || bridge.port_type == PortType::unknown; }

Turn turn_of_request(const Function& at, const Function& towards) {
  if (has_no_acs(at) || at.acs.state == Acs::State::absent) return Turn::direct;
  if (at.acs.state == Acs::State::unknown) return Turn::unknown;
  const bool redirects = (at.acs.control & Acs::request_redirect) != 0;
  if ((at.acs.control & Acs::egress_control) != 0) {
    // A bit that is set blocks, or redirects with Request Redirect; one that is not lets pass, even with it (table of §6.12.3).
    const auto number = egress_number(at, towards);
    const auto bit = number ? at.acs.egress_bit(*number) : std::nullopt;
    if (!bit) return Turn::unknown;
    if (!*bit) return Turn::direct;
    return redirects ? Turn::up : Turn::blocked;
  }
  return redirects ? Turn::up : not_redirected(at, Acs::request_redirect);
}

Turn turn_of_translated(const Function& at, const Function& towards) {
  if (!has_no_acs(at) && at.acs.state == Acs::State::present) {
    if ((at.acs.control & Acs::translation_blocking) != 0) return Turn::blocked;
    if ((at.acs.control & Acs::direct_translated) != 0) return Turn::direct;  // whatever RR and EC say
  }
  return turn_of_request(at, towards);
}

Turn turn_of_completion(const Function& at) {
  if (has_no_acs(at) || at.acs.state == Acs::State::absent) return Turn::direct;
  if (at.acs.state == Acs::State::unknown) return Turn::unknown;
  return (at.acs.control & Acs::completion_redirect) != 0 ? Turn::up : not_redirected(at, Acs::completion_redirect);
}

}  // namespace p2pd
