// SPDX-License-Identifier: LGPL-2.1-or-later
#include "generated_machine.h"

#include <fmt/format.h>

#include "config_space_builder.h"

namespace p2pd::test {

namespace {

constexpr unsigned root_port_type = 4;
constexpr unsigned upstream_type = 5;
constexpr unsigned downstream_type = 6;
constexpr unsigned branches = 25;  // of a domain: ten bus numbers each
constexpr unsigned ports = 8;      // of a switch
constexpr unsigned endpoints_with_vfs = 2;
constexpr std::uint64_t branch_window = std::uint64_t{1} << 36;
constexpr std::uint64_t port_window = std::uint64_t{1} << 32;

class Generator {
 public:
  Generator(FakeSysfs& tree, std::size_t functions, unsigned first_domain)
      : tree_(tree), left_(functions), domain_(first_domain) {}

  void run() {
    for (; left_ > 0; ++domain_)
      for (unsigned branch = 0; branch < branches && left_ > 0; ++branch) make_branch(branch);
  }

 private:
  void make_branch(unsigned branch) {
    const auto first_bus = 1 + branch * (ports + 2);
    const auto last_bus = first_bus + ports + 1;
    const auto window = branch_window * (1 + branch);
    const auto root_port = at(0, 1 + branch, 0);
    const auto upstream = at(first_bus, 0, 0);
    add_port(root_port, std::nullopt, root_port_type, first_bus, last_bus, {window, window + branch_window - 1});
    add_port(upstream, root_port, upstream_type, first_bus + 1, last_bus, {window, window + branch_window - 1});
    for (unsigned port = 0; port < ports; ++port) {
      const auto bus = first_bus + 2 + port;
      const auto downstream = at(first_bus + 1, port, 0);
      const auto begin = window + port * port_window;
      add_port(downstream, upstream, downstream_type, bus, bus, {begin, begin + port_window - 1});
      if (port < endpoints_with_vfs)
        add_virtual_functions(bus, downstream, begin);
      else
        add_functions(bus, downstream, begin);
    }
  }

  struct Window {
    std::uint64_t begin;
    std::uint64_t last;
  };

  void add_port(const Address& address, const std::optional<Address>& parent, unsigned type, unsigned secondary,
                unsigned subordinate, Window window) {
    auto config = ConfigSpaceBuilder().ids(0x10b5, 0x9797).command(decode_and_master);
    config.bridge(address.bus, static_cast<std::uint8_t>(secondary), static_cast<std::uint8_t>(subordinate));
    config.prefetchable_window(window.begin, window.last).pcie(type);
    if (type != upstream_type) config.acs(0x7f, 0x1d);
    add({.address = address, .parent = parent, .config = config.bytes(), .driver = "pcieport"});
  }

  void add_functions(unsigned bus, const Address& port, std::uint64_t window) {
    for (unsigned function = 0; function < 4; ++function) {
      const auto bars = bars_at(window + function * (port_window / 8));
      auto config = ConfigSpaceBuilder().ids(0x144d, 0xa808).class_code(0x010802).command(decode_and_master).multifunction();
      for (const auto& bar : bars) config.bar64(bar.index, bar.cpu_address);
      config.pcie(0).msix(64, 0, 0x2000, 0, 0x3000).acs(0x7f, 0).ats(false);
      add({.address = at(bus, 0, function), .parent = port, .config = config.bytes(), .bars = bars, .driver = "vfio-pci"});
    }
  }

  void add_virtual_functions(unsigned bus, const Address& port, std::uint64_t window) {
    const auto physical = at(bus, 0, 0);
    const auto bars = bars_at(window);
    auto config = ConfigSpaceBuilder().ids(0x15b3, 0x1017).class_code(0x020000).command(decode_and_master);
    for (const auto& bar : bars) config.bar64(bar.index, bar.cpu_address);
    config.pcie(0).msix(64, 0, 0x2000, 0, 0x3000).ats(false);
    config.sriov({.count = 7, .first_offset = 1, .stride = 1, .device = 0x1018, .bar0 = window + port_window / 2});
    add({.address = physical, .parent = port, .config = config.bytes(), .bars = bars, .driver = "mlx5_core"});
    for (unsigned function = 1; function < 8; ++function) {
      auto own = ConfigSpaceBuilder().ids(0x15b3, 0x1018).class_code(0x020000).command(decode_and_master);
      own.pcie(0).msix(8, 0, 0x2000, 0, 0x3000).ats(false);
      add({.address = at(bus, 0, function),
           .parent = port,
           .config = own.bytes(),
           .bars = {{0, window + port_window / 2 + (function - 1) * 0x4000, 0x4000, wide_memory_bar}},
           .driver = "vfio-pci",
           .physical_function = physical});
    }
  }

  static std::vector<FakeBar> bars_at(std::uint64_t window) {
    return {{0, window, 0x4000, wide_memory_bar},
            {2, window + 0x100000, 0x100000, wide_memory_bar},
            {4, window + 0x1000000, 0x1000000, wide_memory_bar}};
  }

  void add(FakeFunction function) {
    if (left_ == 0) return;
    --left_;
    function.root = fmt::format("pci{:04x}:00", domain_);
    // Below a parent its own root would be one more root bus, as a VMD has it.
    if (function.parent) function.root = FakeFunction{}.root;
    function.group = domain_ * 2048 + group_++ % 2048;
    tree_.add(function);
  }

  [[nodiscard]] Address at(unsigned bus, unsigned device, unsigned function) const {
    return {domain_, static_cast<std::uint8_t>(bus), static_cast<std::uint8_t>(device), static_cast<std::uint8_t>(function)};
  }

  static constexpr std::uint16_t decode_and_master = 6;

  FakeSysfs& tree_;
  std::size_t left_;
  unsigned domain_;
  unsigned group_ = 0;
};

}  // namespace

void generate_machine(FakeSysfs& tree, std::size_t functions, unsigned first_domain) {
  Generator(tree, functions, first_domain).run();
}

}  // namespace p2pd::test
