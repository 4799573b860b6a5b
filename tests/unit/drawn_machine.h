// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Machines of drawn shape for properties: trees of switches, drawn ACS, trouble of every kind.
#pragma once

#include <rapidcheck.h>

#include <optional>
#include <string>
#include <vector>

#include "builders.h"

namespace p2pd::test {

// Mostly without redirect: a way of five ports that all may redirect is hardly ever a direct one.
inline Change drawn_acs() {
  const auto control = *rc::gen::inRange<std::uint16_t>(0, 0x80);
  return *rc::gen::weightedElement<Change>({{8, acs(Acs::upstream_forwarding)},
                                            {4, acs_clear},
                                            {4, acs_absent},
                                            {2, acs_redirect},
                                            {1, acs_unknown},
                                            {1, acs(control)}});
}

// A tree of drawn shape; bus numbers are given as firmware does, depth first.
class DrawnTree {
 public:
  Machine machine() {
    auto builder = a_machine().on(*rc::gen::element(HostChange{epyc}, HostChange{intel}, HostChange{hygon}));
    builder = builder.with(a_host_bridge("0000:00:00.0", 0x8086, *rc::gen::element<std::uint16_t>(0x2020, 0x3c00, 0x29c0)));
    const auto root_ports = *rc::gen::weightedElement<int>({{3, 1}, {1, 2}});
    for (int slot = 1; slot <= root_ports; ++slot)
      builder = builder.with(below(a_root_port(name(0, slot, 0)).with(drawn_acs()), 2));
    return builder;
  }

 private:
  static std::string name(int bus, int device, int function) {
    return Address{0, static_cast<std::uint8_t>(bus), static_cast<std::uint8_t>(device), static_cast<std::uint8_t>(function)}
        .to_string();
  }

  Node below(Node port, int depth) {
    const auto bus = ++last_bus_;
    if (depth == 0 || *rc::gen::inRange(0, 3) == 0) {
      const auto functions = *rc::gen::inRange(1, 4);
      for (int function = 0; function < functions; ++function)
        port = port.with(an_endpoint(name(bus, 0, function)).with(drawn_acs(), bar(0, 4_KiB)));
      return port;
    }
    auto upstream = a_switch(name(bus, 0, 0)).with(drawn_acs(), bar(0, 4_KiB));
    const auto inner = ++last_bus_;
    const auto ports = *rc::gen::inRange(1, 4);
    for (int device = 0; device < ports; ++device)
      upstream = upstream.with(below(a_port(name(inner, device, 0)).with(drawn_acs(), bar(0, 4_KiB)), depth - 1));
    return port.with(upstream);
  }

  int last_bus_ = 0;
};

inline const Function& drawn_function(const Machine& machine) {
  return machine.functions()[*rc::gen::inRange<std::size_t>(0, machine.functions().size())];
}

inline const Function& drawn_endpoint(const Machine& machine) {
  std::vector<const Function*> endpoints;
  for (const auto& function : machine.functions())
    if (function.port_type == PortType::endpoint) endpoints.push_back(&function);
  // By number: a pointer that was drawn would outlive the machine when rapidcheck shrinks.
  return *endpoints[*rc::gen::inRange<std::size_t>(0, endpoints.size())];
}

// Makes each condition that a verdict can have come up in some machine.
inline void draw_trouble(HostFacts& host, std::vector<Function>& functions) {
  const auto few = [](const auto& otherwise, const auto& usual) {
    return *rc::gen::weightedElement<std::decay_t<decltype(usual)>>({{6, usual}, {1, otherwise}});
  };
  host.virtualization = few(std::string("kvm"), std::string("none"));
  host.iommu = few(Tristate::unknown, Tristate::yes);
  host.vfio = few(Tristate::no, Tristate::yes);
  host.kernel_release = few(std::string(), std::string("7.3.4"));
  for (auto& function : functions) {
    if (function.is_bridge()) {
      function.port_type = few(PortType::unknown, function.port_type);
      continue;
    }
    function.driver = few(std::string("nvme"), std::string("vfio-pci"));
    function.memory_decode = few(std::optional<bool>(false), std::optional<bool>(true));
    function.ats_enabled = few(std::optional<bool>(true), std::optional<bool>(false));
    function.sends_ten_bit_tags = few(std::optional<bool>(true), std::optional<bool>(false));
    function.completes_ten_bit_tags = few(std::optional<bool>(false), std::optional<bool>(true));
    function.has_ats = *function.ats_enabled || few(true, false);
    function.iommu_type = few(std::optional<std::string>("identity"), std::optional<std::string>("DMA"));
    function.iommu_group = *rc::gen::inRange<std::uint32_t>(1, 6);
    for (auto& bar : function.bars) bar.is_assigned = few(false, true);
    function.is_without_iommu = few(std::optional<bool>(true), std::optional<bool>(false));
    if (few(true, false)) function.reserved_regions = {{{Iova{0x7000'0000}, Bytes{0x1000}}, "direct"}};
    if (few(true, false)) function.msix = MsixLocation{0, Bytes{0}, Bytes{64}, 0, Bytes{0x800}, Bytes{8}};
  }
}

}  // namespace p2pd::test
