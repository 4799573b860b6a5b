// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/machine.h"

#include "config_space_builder.h"

namespace p2pd::test {

namespace {

constexpr std::uint16_t acs_all = 0x7f;
constexpr std::uint16_t acs_redirect = 0x1d;  // SV, RR, CR, UF: what Linux sets when the IOMMU is on
constexpr std::uint16_t decode_and_master = 6;
constexpr unsigned root_port_type = 4;
constexpr unsigned upstream_type = 5;
constexpr unsigned downstream_type = 6;

Address at(const std::string& text) { return *Address::parse(text); }

struct Windows {
  std::uint32_t memory = 0;  // first MiB; 0 = closed
  std::uint32_t memory_last = 0;
  std::uint64_t prefetchable = 0;  // where a target is, with all of it; 0 = closed
};

class Builder {
 public:
  explicit Builder(FakeSysfs& tree) : tree_(tree) {}

  void port(const std::string& address, const std::string& parent, unsigned type, std::uint8_t secondary,
            std::uint8_t subordinate, bool redirects, Windows windows) {
    const auto own = at(address);
    auto config = ConfigSpaceBuilder()
                      .ids(0x1d1d, 0x0100)
                      .class_code(0x060400)
                      .command(decode_and_master)
                      .bridge(own.bus, secondary, subordinate)
                      .pcie(type);
    if (redirects) config.acs(acs_all, acs_redirect);
    if (windows.memory != 0) config.memory_window(windows.memory, windows.memory_last | 0xfffff);
    if (windows.prefetchable != 0)
      config.prefetchable_window(windows.prefetchable, (windows.prefetchable + target_length - 1) | 0xfffff);
    tree_.add({.address = own, .parent = parent_of(parent), .config = config.bytes(), .driver = "pcieport", .group = group_++});
  }

  void endpoint(const std::string& address, const std::string& parent, std::uint32_t class_code, const std::vector<FakeBar>& bars,
                const std::string& driver = "vfio-pci", const std::function<void(ConfigSpaceBuilder&)>& change = {}) {
    auto config = ConfigSpaceBuilder().ids(0x1d1d, 0x0200).class_code(class_code).command(decode_and_master);
    for (const auto& bar : bars) {
      if (bar.flags == io_bar) config.io_bar(bar.index, static_cast<std::uint32_t>(bar.cpu_address));
      if (bar.flags == wide_memory_bar) config.bar64(bar.index, bar.cpu_address);
      if (bar.flags == memory_bar) config.bar32(bar.index, static_cast<std::uint32_t>(bar.cpu_address));
    }
    config.pcie(0);
    if (change) change(config);
    tree_.add({.address = at(address),
               .parent = parent_of(parent),
               .config = config.bytes(),
               .bars = bars,
               .driver = driver,
               .group = group_++});
  }

 private:
  static std::optional<Address> parent_of(const std::string& parent) {
    return parent.empty() ? std::nullopt : std::optional(at(parent));
  }

  FakeSysfs& tree_;
  unsigned group_ = 1;
};

constexpr std::uint32_t processing = 0x120000;
constexpr std::uint32_t memory = 0x050000;

}  // namespace

void build_machine(FakeSysfs& tree) {
  tree.set_kernel("6.1.0-test", true);
  tree.set_cpu("AuthenticAMD", 0x17, false);
  tree.write("sys/class/iommu/ivhd0/devices", "");
  tree.write("dev/vfio/vfio", "");
  tree.write("proc/swaps", "");
  tree.write("proc/self/mountinfo", "");

  Builder build(tree);
  build.port(root_port, "", root_port_type, 1, 5, true, {0xc0000000, 0xc0200000, 0x4000000000});
  build.port("0000:01:00.0", root_port, upstream_type, 2, 5, false, {0xc0000000, 0xc0200000, 0x4000000000});
  build.port("0000:02:00.0", "0000:01:00.0", downstream_type, 3, 3, true, {0xc0000000, 0xc0000000});
  build.port("0000:02:01.0", "0000:01:00.0", downstream_type, 4, 4, true, {0xc0100000, 0xc0100000, 0x4000000000});
  build.port("0000:02:02.0", "0000:01:00.0", downstream_type, 5, 5, true, {0xc0200000, 0xc0200000});
  build.endpoint(initiator, "0000:02:00.0", processing, {{0, 0xc0000000, 0x100000, memory_bar}});
  build.endpoint(peer, "0000:02:01.0", memory,
                 {{0, 0xc0100000, 0x1000, memory_bar}, {2, 0x4000000000, target_length, wide_memory_bar}});
  build.endpoint(other_initiator, "0000:02:02.0", processing, {{0, 0xc0200000, 0x100000, memory_bar}});

  build.port("0000:00:02.0", "", root_port_type, 6, 6, true, {0, 0, 0x4200000000});
  build.endpoint(disk, "0000:00:02.0", 0x010802, {{0, 0x4200000000, 0x8000, wide_memory_bar}}, "vfio-pci",
                 [](ConfigSpaceBuilder& config) { config.msix(64, 0, 0x2000, 0, 0x3000); });

  build.port("0000:00:03.0", "", root_port_type, 7, 7, true, {0xc0400000, 0xc0400000});
  build.endpoint(driverless, "0000:00:03.0", processing,
                 {{0, 0xc0400000, 0x1000, memory_bar}, {1, 0xc000, 0x80, io_bar}, {2, 0, 0x1000, memory_bar | unassigned}}, "");

  build.port("0000:00:04.0", "", root_port_type, 8, 11, true, {0xc0500000, 0xc0500000, switched_target_address});
  build.port("0000:08:00.0", "0000:00:04.0", upstream_type, 9, 11, false, {0xc0500000, 0xc0500000, switched_target_address});
  build.port("0000:09:00.0", "0000:08:00.0", downstream_type, 10, 10, false, {0xc0500000, 0xc0500000});
  build.port("0000:09:01.0", "0000:08:00.0", downstream_type, 11, 11, false, {0, 0, switched_target_address});
  build.endpoint(switched_initiator, "0000:09:00.0", processing, {{0, 0xc0500000, 0x100000, memory_bar}});
  build.endpoint("0000:0b:00.0", "0000:09:01.0", memory, {{2, switched_target_address, target_length, wide_memory_bar}});

  build.port("0000:00:05.0", "", root_port_type, 12, 12, true, {0xc0600000, 0xc0600000});
  build.endpoint(network_card, "0000:00:05.0", 0x020000, {{0, 0xc0600000, 0x1000, memory_bar}}, "e1000e");
  const auto interface = tree.device(at(network_card)) / "net/enp12s0";
  tree.write(interface / "flags", "0x1003\n");
  std::filesystem::create_directories(tree.sysfs() / "class/net");
  std::filesystem::create_symlink(interface, tree.sysfs() / "class/net/enp12s0");
  tree.write("sys/bus/pci/drivers/vfio-pci/bind", "");
}

void add_late_comer(FakeSysfs& tree) {
  auto config = ConfigSpaceBuilder().ids(0x1d1d, 0x0300).class_code(processing).command(decode_and_master).bar32(0, 0xc0700000);
  tree.add({.address = at(late_comer),
            .config = config.bytes(),
            .bars = {{0, 0xc0700000, 0x1000, memory_bar}},
            .driver = "vfio-pci",
            .group = 90});
}

}  // namespace p2pd::test
