// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "config_space_builder.h"
#include "fake_sysfs.h"
#include "sources/source.h"

namespace p2pd::test {
namespace {

Address address(const char* text) { return *Address::parse(text); }

class LiveMachine : public testing::Test {
 protected:
  Machine read() {
    auto machine = read_live_machine(tree.options());
    EXPECT_TRUE(machine) << (machine ? "" : machine.error().text);
    return machine ? *machine : Machine();
  }
  Function read(const char* text) {
    auto function = read_live_function(tree.options(), address(text));
    EXPECT_TRUE(function) << text;
    return function.value_or(Function());
  }
  // A root port with an endpoint that has an I/O BAR, a 32-bit and a 64-bit one.
  void add_port_and_endpoint() {
    tree.add({.address = address("0000:00:01.0"),
              .config = ConfigSpaceBuilder().bridge(0, 1, 1).pcie(4).acs(0x1f, 0x1d).bytes(),
              .group = 3});
    tree.add(
        {.address = address("0000:01:00.0"),
         .parent = address("0000:00:01.0"),
         .config = endpoint().bytes(),
         .bars = {{0, 0xfe000000, 0x1000, memory_bar}, {1, 0xc000, 0x80, io_bar}, {2, 0x384000000000, 0x100000, wide_memory_bar}},
         .driver = "vfio-pci",
         .group = 7,
         .numa_node = 1});
  }
  static ConfigSpaceBuilder endpoint() {
    return ConfigSpaceBuilder()
        .ids(0x8086, 0x1237)
        .class_code(0x020000, 2)
        .bar32(0, 0xfe000000)
        .io_bar(1, 0xc000)
        .bar64(2, 0x4000000000)
        .pcie(0)
        .msix(3, 0, 0x800, 0, 0xc00);
  }

  FakeSysfs tree;
};

TEST_F(LiveMachine, ReadsAFunctionWithAllThatSysfsTells) {
  add_port_and_endpoint();
  const auto machine = read();
  ASSERT_EQ(machine.functions().size(), 2U);
  const auto& function = *machine.find(address("0000:01:00.0"));
  EXPECT_EQ(function.vendor, 0x8086);
  EXPECT_EQ(function.device, 0x1237);
  EXPECT_EQ(function.class_code, 0x020000U);
  EXPECT_EQ(function.revision, 2);
  EXPECT_EQ(function.vendor_name, "Intel Corporation");
  EXPECT_EQ(function.driver, "vfio-pci");
  EXPECT_EQ(function.driver_override, "");
  EXPECT_EQ(function.numa_node, 1);
  EXPECT_EQ(function.iommu_group, 7U);
  EXPECT_EQ(function.iommu_type, "DMA");
  ASSERT_EQ(function.reserved_regions.size(), 1U);
  EXPECT_EQ(function.reserved_regions[0], (ReservedRegion{{Iova{0xfee00000}, Bytes{0x100000}}, "msi"}));
  EXPECT_EQ(function.parent, address("0000:00:01.0"));
  EXPECT_EQ(function.power_state, PowerState::d0);
  EXPECT_EQ(function.memory_decode, true);
  EXPECT_EQ(function.port_type, PortType::endpoint);
  EXPECT_TRUE(function.msix);
}

TEST_F(LiveMachine, JoinsTheKernelsAndTheRegistersViewOfEachBar) {
  add_port_and_endpoint();
  const auto bars = read("0000:01:00.0").bars;
  ASSERT_EQ(bars.size(), 3U);
  EXPECT_EQ(bars[0], (Bar{.index = 0,
                          .cpu_address = CpuAddress{0xfe000000},
                          .bus_address = BusAddress{0xfe000000},
                          .size = Bytes{0x1000},
                          .is_assigned = true}));
  EXPECT_FALSE(bars[1].is_memory);
  EXPECT_EQ(bars[1].size, Bytes{0x80});
  // This machine's bridges translate: CPU and bus address differ.
  EXPECT_EQ(bars[2], (Bar{.index = 2,
                          .cpu_address = CpuAddress{0x384000000000},
                          .bus_address = BusAddress{0x4000000000},
                          .size = Bytes{0x100000},
                          .is_64bit = true,
                          .is_prefetchable = true,
                          .is_assigned = true}));
}

TEST_F(LiveMachine, GivesNoAddressToAnUnassignedBar) {
  tree.add({.address = address("0000:00:02.0"),
            .config = ConfigSpaceBuilder().bar32(0, 0xfe000000).bytes(),
            .bars = {{0, 0, 0x1000, memory_bar | unassigned}}});
  const auto bars = read("0000:00:02.0").bars;
  ASSERT_EQ(bars.size(), 1U);
  EXPECT_EQ(bars[0].size, Bytes{0x1000});
  EXPECT_FALSE(bars[0].is_assigned);
  EXPECT_FALSE(bars[0].cpu_address);
  EXPECT_FALSE(bars[0].bus_address);
}

TEST_F(LiveMachine, DoesNotListTheRomAsABar) {
  tree.add({.address = address("0000:00:02.0"),
            .config = ConfigSpaceBuilder().bytes(),
            .bars = {{6, 0xfe000000, 0x10000, memory_bar}}});
  EXPECT_TRUE(read("0000:00:02.0").bars.empty());
}

TEST_F(LiveMachine, SaysAcsIsUnknownWhenConfigSpaceEndsAtByte64) {
  tree.add(
      {.address = address("0000:00:01.0"), .config = ConfigSpaceBuilder().bridge(0, 1, 1).pcie(4).acs(0x1f, 0x1d).bytes(4096)});
  ASSERT_EQ(read("0000:00:01.0").acs.state, Acs::State::present);
  tree.add(
      {.address = address("0000:00:01.0"), .config = ConfigSpaceBuilder().bridge(0, 1, 1).pcie(4).acs(0x1f, 0x1d).bytes(64)});
  EXPECT_EQ(read("0000:00:01.0").acs.state, Acs::State::unknown);
}

TEST_F(LiveMachine, TakesTheLinkFromSysfsWhenConfigSpaceEndsAtByte64) {
  tree.add({.address = address("0000:00:02.0"), .config = ConfigSpaceBuilder().pcie(0).bytes(64)});
  const auto path = std::filesystem::relative(tree.device(address("0000:00:02.0")), tree.top());
  tree.write(path / "current_link_speed", "2.5 GT/s PCIe\n");
  tree.write(path / "current_link_width", "4\n");
  tree.write(path / "max_link_speed", "16.0 GT/s PCIe\n");
  tree.write(path / "max_link_width", "16\n");
  EXPECT_EQ(read("0000:00:02.0").link, (Link{.speed_mts = 2500, .width = 4, .max_speed_mts = 16000, .max_width = 16}));
}

TEST_F(LiveMachine, ReadsASleepingFunctionBelowABridgeThatIsAwake) {
  add_port_and_endpoint();
  tree.add({.address = address("0000:01:00.0"),
            .parent = address("0000:00:01.0"),
            .config = endpoint().command(0).bytes(),
            .power_state = "D3hot",
            .runtime_status = "suspended"});
  const auto function = read("0000:01:00.0");
  EXPECT_TRUE(function.is_runtime_suspended);
  EXPECT_EQ(function.power_state, PowerState::d3hot);
  EXPECT_EQ(function.memory_decode, false);
  EXPECT_EQ(function.port_type, PortType::endpoint);
}

TEST_F(LiveMachine, LeavesConfigSpaceAloneWhereReadingItWouldWakeSomething) {
  add_port_and_endpoint();
  ASSERT_TRUE(read("0000:01:00.0").memory_decode);
  const auto sleeping = [&](const std::string& own_state, const std::string& own_status, const std::string& bridge_status) {
    tree.write(std::filesystem::relative(tree.device(address("0000:00:01.0")), tree.top()) / "power/runtime_status",
               bridge_status + "\n");
    const auto path = std::filesystem::relative(tree.device(address("0000:01:00.0")), tree.top());
    tree.write(path / "power/runtime_status", own_status + "\n");
    tree.write(path / "power_state", own_state + "\n");
    return read("0000:01:00.0");
  };
  EXPECT_TRUE(sleeping("D3hot", "suspended", "active").memory_decode);
  for (const auto& function : {sleeping("D3hot", "suspended", "suspended"), sleeping("D3cold", "suspended", "active"),
                               sleeping("D3cold", "active", "active"), sleeping("unknown", "suspended", "active")}) {
    EXPECT_FALSE(function.memory_decode);
    EXPECT_EQ(function.port_type, PortType::unknown);
    EXPECT_EQ(function.acs.state, Acs::State::unknown);
    ASSERT_EQ(function.bars.size(), 3U);
    EXPECT_TRUE(function.bars[0].cpu_address);
    EXPECT_FALSE(function.bars[0].bus_address);
  }
}

TEST_F(LiveMachine, KnowsASleepingBridgeByTheBusBelowIt) {
  tree.add({.address = address("0000:00:01.0"),
            .config = ConfigSpaceBuilder().bridge(0, 0x1a, 0x1c).pcie(4).bytes(),
            .power_state = "D3cold",
            .runtime_status = "suspended"});
  const auto function = read("0000:00:01.0");
  ASSERT_TRUE(function.bridge);
  EXPECT_EQ(function.bridge->secondary_bus, 0x1a);
}

TEST_F(LiveMachine, CarriesConfigFactsOverWhileAFunctionSleeps) {
  add_port_and_endpoint();
  const auto before = read("0000:01:00.0");
  tree.write(std::filesystem::relative(tree.device(address("0000:01:00.0")), tree.top()) / "power_state", "D3cold\n");
  auto asleep = read("0000:01:00.0");
  ASSERT_FALSE(asleep.msix);
  carry_over_config(asleep, before);
  EXPECT_EQ(asleep.msix, before.msix);
  EXPECT_EQ(asleep.port_type, before.port_type);
  EXPECT_EQ(asleep.sends_ten_bit_tags, false);
  EXPECT_EQ(asleep.completes_ten_bit_tags, false);
  EXPECT_EQ(asleep.bars, before.bars);
  EXPECT_FALSE(asleep.memory_decode);
  EXPECT_EQ(asleep.power_state, PowerState::d3cold);
}

TEST_F(LiveMachine, TakesNamesAndConfigFactsFromTheLastReading) {
  add_port_and_endpoint();
  auto before = read("0000:01:00.0");
  before.vendor_name = "as it was named";
  tree.write(std::filesystem::relative(tree.device(address("0000:01:00.0")), tree.top()) / "power_state", "D3cold\n");
  const auto again = read_live_function(tree.options(), before.address, &before);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->vendor_name, "as it was named");
  EXPECT_EQ(again->msix, before.msix);

  before.device ^= 1;  // another device was in the slot then
  const auto other = read_live_function(tree.options(), before.address, &before);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->vendor_name, "Intel Corporation");
  EXPECT_FALSE(other->msix);
}

TEST_F(LiveMachine, CarriesNothingOverToAnotherDeviceOrToOneThatIsAwake) {
  add_port_and_endpoint();
  const auto before = read("0000:01:00.0");
  Function other;
  other.address = before.address;
  other.is_runtime_suspended = true;
  carry_over_config(other, before);
  EXPECT_FALSE(other.msix);

  other.vendor = before.vendor;
  other.device = before.device;
  other.revision = before.revision;
  other.is_runtime_suspended = false;
  carry_over_config(other, before);
  EXPECT_FALSE(other.msix);

  other.is_runtime_suspended = true;
  carry_over_config(other, before);
  EXPECT_TRUE(other.msix);
}

TEST_F(LiveMachine, TakesTheNearestRootBusOfFunctionsBehindAVmd) {
  tree.add({.address = address("0000:00:0e.0"), .config = ConfigSpaceBuilder().bytes()});
  tree.add({.address = address("10000:00:02.0"),
            .parent = address("0000:00:0e.0"),
            .root = "pci10000:00",
            .config = ConfigSpaceBuilder().bridge(0, 1, 1).pcie(4).bytes()});
  tree.add(
      {.address = address("10000:01:00.0"), .parent = address("10000:00:02.0"), .config = ConfigSpaceBuilder().pcie(0).bytes()});
  EXPECT_FALSE(read("10000:00:02.0").parent);
  EXPECT_EQ(read("10000:00:02.0").root_domain, 0x10000U);
  EXPECT_EQ(read("10000:01:00.0").parent, address("10000:00:02.0"));
  EXPECT_EQ(read("10000:01:00.0").root_domain, 0x10000U);
  EXPECT_EQ(read("10000:01:00.0").requester, address("0000:00:0e.0"));
  EXPECT_EQ(read("10000:00:02.0").requester, address("0000:00:0e.0"));
  EXPECT_FALSE(read("0000:00:0e.0").parent);
  EXPECT_EQ(read("0000:00:0e.0").root_domain, 0U);
  EXPECT_FALSE(read("0000:00:0e.0").requester);
}

TEST_F(LiveMachine, CompletesVirtualFunctionsByTheirPhysicalFunction) {
  tree.add({.address = address("0000:00:01.0"), .config = ConfigSpaceBuilder().bridge(0, 1, 1).pcie(4).bytes()});
  tree.add({.address = address("0000:01:00.0"),
            .parent = address("0000:00:01.0"),
            .config = ConfigSpaceBuilder()
                          .pcie(0)
                          .sriov({.count = 2, .first_offset = 1, .stride = 1, .device = 1, .bar0 = 0x5000000000})
                          .set16(0x108, 0x29)  // VF 10-Bit Tag Requester Enable too
                          .bytes()});
  for (const char* each : {"0000:01:00.1", "0000:01:00.2"})
    tree.add({.address = address(each),
              .parent = address("0000:00:01.0"),
              .config = ConfigSpaceBuilder().ids(0xffff, 0xffff).class_code(0x020000).command(0).pcie(0).bytes(),
              .bars = {{0, 0x5000000000, 0x4000, wide_memory_bar}},
              .physical_function = address("0000:01:00.0")});
  const auto machine = read();
  const auto& physical = *machine.find(address("0000:01:00.0"));
  EXPECT_EQ(physical.virtual_functions, (std::vector{address("0000:01:00.1"), address("0000:01:00.2")}));
  const auto& second = *machine.find(address("0000:01:00.2"));
  EXPECT_EQ(second.physical_function, address("0000:01:00.0"));
  EXPECT_EQ(second.parent, address("0000:00:01.0"));
  EXPECT_EQ(second.memory_decode, true);
  EXPECT_EQ(second.sends_ten_bit_tags, true);
  EXPECT_EQ(second.bars.at(0).bus_address, BusAddress{0x5000004000});
  // Reading it alone gives the same.
  EXPECT_EQ(read("0000:01:00.2"), second);
}

TEST_F(LiveMachine, SaysWhatItCouldNotReadOfAGroup) {
  tree.add({.address = address("0000:00:01.0"), .config = ConfigSpaceBuilder().bytes(), .group = 4});
  const auto with = [&](const std::string& type, const std::string& regions) {
    tree.set_group_type(4, type, regions);
    return read().functions().at(0);
  };
  EXPECT_FALSE(with("DMA", "").has_unread_regions);
  EXPECT_EQ(with("DMA", "").is_without_iommu, false);
  EXPECT_EQ(with("unknown", "").is_without_iommu, false);
  EXPECT_TRUE(with("DMA", "0x1000 nonsense\n").has_unread_regions);
  std::string too_long;
  while (too_long.size() < 4096) too_long += "0x0000000000001000 0x0000000000001fff reserved\n";
  EXPECT_TRUE(with("DMA", too_long).has_unread_regions);
  std::filesystem::remove(tree.top() / "sys/kernel/iommu_groups/4/reserved_regions");
  std::filesystem::remove(tree.top() / "sys/kernel/iommu_groups/4/type");
  EXPECT_TRUE(read().functions().at(0).has_unread_regions);
  EXPECT_EQ(read().functions().at(0).is_without_iommu, std::nullopt);
}

TEST_F(LiveMachine, TellsThatAFunctionIsGone) {
  add_port_and_endpoint();
  ASSERT_TRUE(read_live_function(tree.options(), address("0000:01:00.0")));
  tree.remove(address("0000:01:00.0"));
  EXPECT_FALSE(read_live_function(tree.options(), address("0000:01:00.0")));
  EXPECT_EQ(read().functions().size(), 1U);
}

TEST_F(LiveMachine, FollowsBindAndUnbind) {
  add_port_and_endpoint();
  tree.bind(address("0000:01:00.0"), "nvme");
  EXPECT_EQ(read("0000:01:00.0").driver, "nvme");
  tree.bind(address("0000:01:00.0"), "");
  EXPECT_EQ(read("0000:01:00.0").driver, "");
}

TEST_F(LiveMachine, ReadsWhatTheDriverRegisteredForPeers) {
  add_port_and_endpoint();
  const auto endpoint = address("0000:01:00.0");
  EXPECT_FALSE(read("0000:01:00.0").peer_memory);
  tree.register_peer_memory(endpoint, 0x200000);
  const auto first = read("0000:01:00.0").peer_memory;
  ASSERT_TRUE(first);
  EXPECT_EQ(first->size, Bytes{0x200000});
  EXPECT_TRUE(first->is_published);
  ASSERT_TRUE(first->pool);
  EXPECT_EQ(read("0000:01:00.0").peer_memory, first);

  // Bound anew it is another one.
  tree.register_peer_memory(endpoint, 0x200000);
  EXPECT_NE(read("0000:01:00.0").peer_memory->pool, first->pool);
  // Linux before 6.2 lends to no program.
  std::filesystem::remove(tree.device(endpoint) / "p2pmem/allocate");
  EXPECT_EQ(read("0000:01:00.0").peer_memory, (PeerMemory{Bytes{0x200000}, true, std::nullopt}));
  tree.bind(endpoint, "");
  EXPECT_FALSE(read("0000:01:00.0").peer_memory);
}

TEST_F(LiveMachine, ReadsADriverOverride) {
  add_port_and_endpoint();
  tree.write(std::filesystem::relative(tree.device(address("0000:01:00.0")), tree.top()) / "driver_override", "vfio-pci\n");
  EXPECT_EQ(read("0000:01:00.0").driver_override, "vfio-pci");
}

TEST_F(LiveMachine, SurvivesFilesFullOfNonsense) {
  add_port_and_endpoint();
  ASSERT_EQ(read("0000:01:00.0").bars.size(), 3U);
  const auto path = std::filesystem::relative(tree.device(address("0000:01:00.0")), tree.top());
  tree.write(path / "resource", "0xzz\n\n0x1 0x0 0x200\nnot a resource at all");
  tree.write(path / "numa_node", "many\n");
  tree.write(path / "config", "short");
  tree.set_group_type(7, "DMA", "0x10 0x0 msi\n0x\nnonsense\n0x0000000000001000 0x0000000000001fff direct\n");
  const auto function = read("0000:01:00.0");
  ASSERT_EQ(function.bars.size(), 1U);
  EXPECT_FALSE(function.bars[0].is_assigned);
  EXPECT_FALSE(function.numa_node);
  ASSERT_EQ(function.reserved_regions.size(), 1U);
  EXPECT_EQ(function.reserved_regions[0].type, "direct");
  EXPECT_EQ(function.acs.state, Acs::State::unknown);
}

TEST_F(LiveMachine, IsEmptyWithoutPciAndAnErrorWithoutSysfs) {
  EXPECT_TRUE(read().functions().empty());
  const auto machine = read_live_machine({.sysfs_root = tree.top() / "nothing", .proc_root = tree.top() / "proc"});
  ASSERT_FALSE(machine);
  EXPECT_NE(machine.error().text.find("nothing"), std::string::npos);
}

class Host : public testing::Test {
 protected:
  HostFacts read() { return read_live_machine(tree.options())->host(); }
  FakeSysfs tree;
};

TEST_F(Host, KnowsKernelAndCpu) {
  tree.set_kernel("7.3.4+deb13-amd64", true);
  tree.set_cpu("AuthenticAMD", 25, false);
  const auto facts = read();
  EXPECT_EQ(facts.kernel_release, "7.3.4+deb13-amd64");
  EXPECT_EQ(facts.kernel_p2pdma, Tristate::yes);
  EXPECT_EQ(facts.cpu_vendor, "AuthenticAMD");
  EXPECT_EQ(facts.cpu_family, 25U);
}

TEST_F(Host, KnowsAKernelWithoutP2pdmaFromOneThatDoesNotTell) {
  tree.set_kernel("6.1.0-56-amd64", false);
  EXPECT_EQ(read().kernel_p2pdma, Tristate::no);
  tree.set_kernel("6.2.0", std::nullopt);
  EXPECT_EQ(read().kernel_p2pdma, Tristate::unknown);
  tree.write("lib/modules/6.2.0/config", "CONFIG_PCI=y\nCONFIG_PCI_P2PDMA=y\n");
  EXPECT_EQ(read().kernel_p2pdma, Tristate::yes);
}

TEST_F(Host, FindsP2pdmaInTheKernelsTypesWhereThereIsNoConfiguration) {
  tree.set_kernel("6.2.0", std::nullopt);
  const std::string other_types(3 * 65536 - 7, 't');  // so that the name lies across two pieces
  tree.write("sys/kernel/btf/vmlinux", other_types);
  EXPECT_EQ(read().kernel_p2pdma, Tristate::no);
  tree.write("sys/kernel/btf/vmlinux", other_types + "pci_p2pdma_distance_many" + other_types);
  EXPECT_EQ(read().kernel_p2pdma, Tristate::yes);
}

TEST_F(Host, FindsTheIommuAndVfio) {
  EXPECT_EQ(read().iommu, Tristate::no);
  EXPECT_EQ(read().vfio, Tristate::no);
  tree.write("sys/class/iommu/dmar0/intel-iommu/version", "1:0\n");
  tree.write("dev/vfio/vfio", "");
  EXPECT_EQ(read().iommu, Tristate::yes);
  EXPECT_EQ(read().vfio, Tristate::yes);
}

TEST_F(Host, FindsVfioWithoutContainers) {
  tree.write("dev/iommu", "");
  EXPECT_EQ(read().vfio, Tristate::no);
  tree.write("sys/class/vfio-dev/vfio0/dev", "510:0\n");
  EXPECT_EQ(read().vfio, Tristate::yes);
}

TEST_F(Host, ReadsHowManyBitsTheIommuTranslates) {
  const auto bits = [&] { return std::pair(read().least_iommu_bits, read().most_iommu_bits); };
  tree.write("sys/class/iommu/ivhd0/amd-iommu/cap", "190b640f\n");
  EXPECT_EQ(bits(), std::pair(0U, 0U)) << "AMD's units do not tell";
  tree.write("sys/class/iommu/dmar0/intel-iommu/cap", "d2008c22260206\n");
  EXPECT_EQ(bits(), std::pair(39U, 39U)) << "tables of 39 bits, as the laboratory has them";
  tree.write("sys/class/iommu/dmar1/intel-iommu/cap", "8d2078c106f0466\n");
  EXPECT_EQ(bits(), std::pair(39U, 48U)) << "of 48 bits, as servers have them";
  tree.write("sys/class/iommu/dmar0/intel-iommu/cap", "8d2078c106f0466\n");
  tree.write("sys/class/iommu/dmar0/intel-iommu/ecap", "880000000000\n");
  EXPECT_EQ(bits(), std::pair(47U, 48U)) << "a first stage has one bit less";
}

TEST_F(Host, TellsWhetherMemoryIsEncrypted) {
  const auto processor = [&](const std::string& flags) {
    tree.write("proc/cpuinfo", "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nflags\t\t: fpu " + flags + "\n\n");
  };
  const auto booted = [&](const std::string& words) {
    tree.write("proc/cmdline", words + "\n");
    return read().memory_encryption;
  };
  tree.set_kernel("6.1.0", std::nullopt);
  processor("sme sev");
  EXPECT_EQ(booted("quiet mem_encrypt=on"), Tristate::yes);
  EXPECT_EQ(booted("mem_encrypt=on mem_encrypt=off"), Tristate::no) << "the last word counts";
  EXPECT_EQ(booted("quiet"), Tristate::unknown) << "as the kernel was configured";
  tree.write("boot/config-6.1.0", "\nCONFIG_AMD_MEM_ENCRYPT_ACTIVE_BY_DEFAULT=y\n");
  EXPECT_EQ(booted("quiet"), Tristate::yes);
  tree.write("boot/config-6.1.0", "\n# CONFIG_AMD_MEM_ENCRYPT_ACTIVE_BY_DEFAULT is not set\n");
  EXPECT_EQ(booted("quiet"), Tristate::no);
  tree.set_kernel("6.9.0", std::nullopt);
  EXPECT_EQ(booted("quiet"), Tristate::no) << "there is no such choice any more";
  EXPECT_EQ(booted("mem_encrypt=on"), Tristate::yes);
  processor("sev");
  EXPECT_EQ(booted("mem_encrypt=on"), Tristate::no) << "firmware did not let it";
}

TEST_F(Host, TellsALockedDownKernel) {
  EXPECT_EQ(read().lockdown, Tristate::unknown);
  tree.write("sys/kernel/security/lsm", "capability\n");
  EXPECT_EQ(read().lockdown, Tristate::no) << "built without it";
  tree.write("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
  EXPECT_EQ(read().lockdown, Tristate::no);
  tree.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
  EXPECT_EQ(read().lockdown, Tristate::yes);
}

TEST_F(Host, TellsWhatVfioWasToldAboutInterrupts) {
  EXPECT_EQ(read().unsafe_interrupts, Tristate::no);
  tree.write("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y\n");
  EXPECT_EQ(read().unsafe_interrupts, Tristate::yes);
  tree.write("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "N\n");
  EXPECT_EQ(read().unsafe_interrupts, Tristate::no);
  tree.write("sys/module/iommufd/parameters/allow_unsafe_interrupts", "Y\n");
  EXPECT_EQ(read().unsafe_interrupts, Tristate::yes);
}

TEST_F(Host, DetectsTheHypervisor) {
  EXPECT_EQ(read().virtualization, "unknown");
  tree.set_cpu("GenuineIntel", 6, false);
  EXPECT_EQ(read().virtualization, "none");
  tree.set_cpu("GenuineIntel", 6, true);
  EXPECT_EQ(read().virtualization, "vm-other");
  tree.write("sys/class/dmi/id/sys_vendor", "QEMU\n");
  EXPECT_EQ(read().virtualization, "qemu");
  tree.write("sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
  EXPECT_EQ(read().virtualization, "amazon");
  tree.write("sys/hypervisor/type", "xen\n");
  EXPECT_EQ(read().virtualization, "xen");
}

TEST_F(Host, DoesNotTakeAProvidersBareMetalForAVirtualMachine) {
  tree.set_cpu("GenuineIntel", 6, false);
  tree.write("sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
  EXPECT_EQ(read().virtualization, "none");
  tree.write("sys/class/dmi/id/sys_vendor", "QEMU\n");  // -cpu host,-hypervisor
  EXPECT_EQ(read().virtualization, "qemu");
}

TEST_F(Host, BelievesTheConfiguration) {
  tree.set_cpu("GenuineIntel", 6, true);
  auto options = tree.options();
  ASSERT_EQ(read_live_machine(options)->host().virtualization, "vm-other");
  options.hypervisor = "kvm";
  EXPECT_EQ(read_live_machine(options)->host().virtualization, "kvm") << "who asked the hypervisor knows it best";
  options.hypervisor = "docker";
  EXPECT_EQ(read_live_machine(options)->host().virtualization, "vm-other") << "a container sees the machine's devices";
  options.virtualization = "none";
  EXPECT_EQ(read_live_machine(options)->host().virtualization, "none");
}

}  // namespace
}  // namespace p2pd::test
