// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Machines for tests, written as pictures of their tree. What a test does not say is as it should be: every function is
// on vfio-pci in an IOMMU group of its own, awake, decoding; BARs get addresses, bridges get windows around them.
//
//   const Machine machine = a_machine().on(epyc).with(
//       a_root_port("0000:00:02.0").with(
//           a_switch("0000:01:00.0").with(
//               a_port("0000:02:00.0").with(acs_redirect, an_endpoint("0000:03:00.0").with(bar(0, 4_KiB))),
//               a_port("0000:02:01.0").with(acs_redirect, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB))))));
//
// with() takes changes (anything callable with a Function&) and, on machines and bridges, what is below.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/machine.h"
#include "model/target_name.h"
#include "shipped_tables.h"

namespace p2pd::test {

inline Address at(std::string_view text) {
  const auto address = Address::parse(text);
  if (!address) throw std::invalid_argument("not an address: " + std::string(text));
  return *address;
}

inline TargetName target(std::string_view text) {
  const auto name = TargetName::parse(text);
  if (!name) throw std::invalid_argument("not a target: " + std::string(text));
  return *name;
}

constexpr std::uint64_t operator""_KiB(unsigned long long count) { return count << 10; }
constexpr std::uint64_t operator""_MiB(unsigned long long count) { return count << 20; }
constexpr std::uint64_t operator""_GiB(unsigned long long count) { return count << 30; }

// ---- functions and what is below them

using Change = std::function<void(Function&)>;

class Node {
 public:
  Node(std::string_view address, PortType type) {
    function_.address = at(address);
    function_.port_type = type;
    function_.vendor = 0x1d1d;
    function_.device = 0x0001;
    function_.acs.state = Acs::State::absent;
    function_.memory_decode = true;
    function_.bus_master = true;
    function_.ats_enabled = false;
    function_.is_without_iommu = false;
    if (type != PortType::conventional) {
      function_.max_payload = 128;
      function_.sends_ten_bit_tags = false;
      function_.completes_ten_bit_tags = true;
    }
    function_.power_state = PowerState::d0;
    function_.driver = "vfio-pci";
    function_.class_code = 0x088000;
  }

  template <class... Parts>
  [[nodiscard]] Node with(Parts... parts) const {
    Node copy = *this;
    (copy.add(std::move(parts)), ...);
    return copy;
  }

  Function& function() { return function_; }
  std::vector<Node>& children() { return children_; }

 private:
  void add(Node child) { children_.push_back(std::move(child)); }
  void add(const Change& change) { change(function_); }

  Function function_;
  std::vector<Node> children_;
};

inline Node a_bridge(std::string_view address, PortType type, std::string_view driver) {
  Node node(address, type);
  node.function().bridge = BridgeWindows{};
  node.function().driver = driver;
  node.function().class_code = 0x060400;
  return node;
}

// The function at 00.0 of a root bus: what the kernel's host-bridge list knows a root complex by.
inline Node a_host_bridge(std::string_view address, std::uint16_t vendor, std::uint16_t device) {
  Node node(address, PortType::conventional);
  node.function().vendor = vendor;
  node.function().device = device;
  node.function().driver = "";
  node.function().class_code = 0x060000;
  return node;
}
inline Node a_root_port(std::string_view address) { return a_bridge(address, PortType::root_port, "pcieport"); }
inline Node a_switch(std::string_view upstream_port) { return a_bridge(upstream_port, PortType::switch_upstream, "pcieport"); }
inline Node a_port(std::string_view downstream_port) {
  return a_bridge(downstream_port, PortType::switch_downstream, "pcieport");
}
inline Node a_pci_bridge(std::string_view address) { return a_bridge(address, PortType::pcie_to_pci_bridge, ""); }
inline Node an_endpoint(std::string_view address) { return {address, PortType::endpoint}; }
inline Node a_conventional_device(std::string_view address) { return {address, PortType::conventional}; }
// Stands beside its physical function, below the same bridge.
inline Node a_virtual_function(std::string_view address, std::string_view physical_function) {
  Node node(address, PortType::endpoint);
  node.function().physical_function = at(physical_function);
  return node;
}

// ---- changes

// Supports all of ACS, has `control` switched on.
inline Change acs(std::uint16_t control, std::uint16_t capability = 0x7f) {
  return [=](Function& function) { function.acs = {Acs::State::present, capability, control}; };
}
// SV, RR, CR, UF: what Linux sets once the IOMMU is on (pci.c pci_std_enable_acs).
inline void acs_redirect(Function& function) { acs(0x1d)(function); }
inline void acs_clear(Function& function) { acs(0)(function); }
inline void acs_unknown(Function& function) { function.acs = {}; }
inline void acs_absent(Function& function) { function.acs = {Acs::State::absent, 0, 0}; }

// A 32-bit memory BAR. Its address is chosen when the machine is built.
inline Change bar(std::uint8_t index, std::uint64_t size) {
  return [=](Function& function) {
    Bar bar;
    bar.index = index;
    bar.size = Bytes{size};
    bar.is_assigned = true;
    function.bars.push_back(bar);
    std::sort(function.bars.begin(), function.bars.end(), [](const Bar& a, const Bar& b) { return a.index < b.index; });
  };
}
// For all that bar() does not say: change_bar(2, [](Bar& bar) { bar.is_memory = false; }).
inline Change change_bar(std::uint8_t index, std::function<void(Bar&)> change) {
  return [=](Function& function) {
    for (auto& bar : function.bars)
      if (bar.index == index) change(bar);
  };
}
// 64-bit and prefetchable.
inline Change big_bar(std::uint8_t index, std::uint64_t size) {
  return [=](Function& function) {
    bar(index, size)(function);
    change_bar(index, [](Bar& made) { made.is_64bit = made.is_prefetchable = true; })(function);
  };
}
inline Change bar_at(std::uint8_t index, std::uint64_t size, std::uint64_t address) {
  return [=](Function& function) {
    big_bar(index, size)(function);
    change_bar(index, [=](Bar& made) {
      made.bus_address = BusAddress{address};
      made.cpu_address = CpuAddress{address};
    })(function);
  };
}
inline Change driver(std::string name) {
  return [=](Function& function) { function.driver = name; };
}
inline Change in_group(std::uint32_t group) {
  return [=](Function& function) { function.iommu_group = group; };
}
inline Change ids(std::uint16_t vendor, std::uint16_t device) {
  return [=](Function& function) {
    function.vendor = vendor;
    function.device = device;
  };
}
inline void multifunction(Function& function) { function.is_multifunction = true; }
// What a function on vfio-pci that nobody has opened looks like.
inline void asleep(Function& function) {
  function.is_runtime_suspended = true;
  function.power_state = PowerState::d3hot;
  function.memory_decode = false;
  function.bus_master = false;
}

// ---- the machine

using HostChange = std::function<void(HostFacts&)>;

inline void epyc(HostFacts& host) {
  host.cpu_vendor = "AuthenticAMD";
  host.cpu_family = 0x17;
}
inline void hygon(HostFacts& host) {
  host.cpu_vendor = "HygonGenuine";
  host.cpu_family = 0x18;
}
inline void intel(HostFacts& host) {
  host.cpu_vendor = "GenuineIntel";
  host.cpu_family = 6;
}
inline HostChange kernel(std::string release, Tristate p2pdma = Tristate::yes) {
  return [=](HostFacts& host) {
    host.kernel_release = release;
    host.kernel_p2pdma = p2pdma;
  };
}
inline HostChange virtualization(std::string name) {
  return [=](HostFacts& host) { host.virtualization = name; };
}

inline HostChange translates(unsigned least_bits, unsigned most_bits) {
  return [=](HostFacts& host) {
    host.least_iommu_bits = least_bits;
    host.most_iommu_bits = most_bits;
  };
}
inline HostChange encrypted(Tristate is_active, bool is_live = true) {
  return [=](HostFacts& host) {
    host.memory_encryption = is_active;
    host.is_live = is_live;
  };
}

class MachineBuilder {
 public:
  MachineBuilder() {
    kernel("7.3.4")(host_);
    epyc(host_);
    host_.virtualization = "none";
    host_.iommu = Tristate::yes;
    host_.vfio = Tristate::yes;
    host_.lockdown = Tristate::no;
    host_.unsafe_interrupts = Tristate::no;
    host_.memory_encryption = Tristate::no;
  }

  [[nodiscard]] MachineBuilder on(const HostChange& change) const {
    auto copy = *this;
    change(copy.host_);
    return copy;
  }

  template <class... Nodes>
  [[nodiscard]] MachineBuilder with(Nodes... nodes) const {
    auto copy = *this;
    (copy.roots_.push_back(std::move(nodes)), ...);
    return copy;
  }

  [[nodiscard]] Machine build() const {
    Layout layout;
    for (auto root : roots_) {
      layout.root_domain = root.function().address.domain;
      layout.root_bus = root.function().address.bus;
      layout.place(root, nullptr);
    }
    for (const auto& function : layout.functions) {
      if (!function.physical_function) continue;
      for (auto& other : layout.functions)
        if (other.address == *function.physical_function) {
          other.virtual_functions.push_back(function.address);
          other.has_vfs_enabled = true;
        }
    }
    return {host_, std::move(layout.functions)};
  }
  operator Machine() const { return build(); }  // NOLINT(google-explicit-constructor): the picture is the machine

 private:
  // Gives out what firmware would: groups, BAR addresses, bus numbers and windows of bridges.
  struct Layout {
    std::uint32_t root_domain = 0;
    std::uint8_t root_bus = 0;
    std::vector<Function> functions;
    std::vector<Range<BusAddress>> chosen;  // where a test put a BAR
    std::uint64_t next_low = 0xc000'0000;
    std::uint64_t next_high = 0x4'0000'0000;
    std::uint32_t next_group = 100;

    static constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

    // Returns the highest bus number at or below the node.
    std::uint8_t place(Node& node, const Function* parent) {
      auto function = node.function();
      function.root_domain = root_domain;
      function.root_bus = root_bus;
      if (parent != nullptr) function.parent = parent->address;
      if (!function.iommu_group) function.iommu_group = next_group++;
      if (!function.iommu_type) function.iommu_type = "DMA";

      // Windows come in units of 1 MiB, so a bridge begins and ends on one.
      if (function.bridge) align_cursors();
      const auto low = next_low;
      const auto high = next_high;
      const auto chosen_before = chosen.size();
      for (auto& bar : function.bars) place_bar(bar);

      std::uint8_t last_bus = function.address.bus;
      std::uint8_t first_bus = 0xff;
      for (auto& child : node.children()) {
        first_bus = std::min(first_bus, child.function().address.bus);
        last_bus = std::max(last_bus, place(child, &function));
      }
      if (function.bridge) {
        align_cursors();
        function.bridge->secondary_bus = node.children().empty() ? static_cast<std::uint8_t>(last_bus + 1) : first_bus;
        function.bridge->subordinate_bus = std::max(last_bus, function.bridge->secondary_bus);
        function.bridge->memory = make_range(BusAddress{low}, Bytes{next_low - low});
        function.bridge->prefetchable = make_range(BusAddress{high}, Bytes{next_high - high});
        if (next_high == high) function.bridge->prefetchable = around(std::span(chosen).subspan(chosen_before));
        last_bus = function.bridge->subordinate_bus;
      }
      functions.push_back(std::move(function));
      return last_bus;
    }

    static std::optional<Range<BusAddress>> around(std::span<const Range<BusAddress>> ranges) {
      if (ranges.empty()) return std::nullopt;
      auto begin = ranges.front().begin.value;
      auto last = ranges.front().last();
      for (const auto& range : ranges) {
        begin = std::min(begin, range.begin.value);
        last = std::max(last, range.last());
      }
      begin = begin / 1_MiB * 1_MiB;
      return make_range(BusAddress{begin}, Bytes{round_up(last + 1, 1_MiB) - begin});
    }

    void place_bar(Bar& bar) {
      if (bar.bus_address)
        if (const auto range = make_range(*bar.bus_address, bar.size)) chosen.push_back(*range);
      if (!bar.is_memory || !bar.is_assigned || bar.bus_address || bar.size.value == 0) return;
      auto& cursor = bar.is_64bit ? next_high : next_low;
      cursor = round_up(cursor, bar.size.value);
      bar.bus_address = BusAddress{cursor};
      bar.cpu_address = CpuAddress{cursor};
      cursor += bar.size.value;
    }

    void align_cursors() {
      next_low = round_up(next_low, 1_MiB);
      next_high = round_up(next_high, 1_MiB);
    }
  };

  HostFacts host_;
  std::vector<Node> roots_;
};

inline MachineBuilder a_machine() { return {}; }

}  // namespace p2pd::test
