// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>

#include "config_space_builder.h"
#include "sources/source.h"
#include "test_paths.h"

namespace p2pd::test {
namespace {

using testing::HasSubstr;

std::filesystem::path data(const std::string& name) { return std::filesystem::path(P2PD_TEST_DATA) / "dumps" / name; }

Machine parse(const std::string& text) {
  auto machine = parse_dump(text);
  EXPECT_TRUE(machine) << (machine ? "" : machine.error().text);
  return machine ? *machine : Machine();
}

const Function& at(const Machine& machine, const std::string& address) {
  const Function* function = machine.find(*Address::parse(address));
  if (function == nullptr) throw std::runtime_error("not there: " + address);
  return *function;
}

// A root port, a switch with two downstream ports (ACS on the first one only), an endpoint below each.
std::string a_switch() {
  using Builder = ConfigSpaceBuilder;
  return dump_of("00:01.0 PCI bridge: root port", Builder().bridge(0, 1, 4).pcie(4).acs(0x1f, 0x1d).bytes()) +
         dump_of("01:00.0 PCI bridge: upstream", Builder().bridge(1, 2, 4).pcie(5).bytes()) +
         dump_of("02:00.0 PCI bridge: downstream", Builder().bridge(2, 3, 3).pcie(6).acs(0x1f, 0x1d).bytes()) +
         dump_of("02:01.0 PCI bridge: downstream", Builder().bridge(2, 4, 4).pcie(6).bytes()) +
         dump_of("03:00.0 an initiator", Builder().bar32(0, 0xfe000000).pcie(0).bytes()) +
         dump_of("04:00.0 a target", Builder().bar64(2, 0x4000000000).pcie(0).bytes());
}

TEST(Dump, PutsFunctionsBelowTheirBridges) {
  const auto machine = parse(a_switch());
  ASSERT_EQ(machine.functions().size(), 6U);
  EXPECT_FALSE(at(machine, "0000:00:01.0").parent);
  EXPECT_EQ(at(machine, "0000:01:00.0").parent, Address::parse("0000:00:01.0"));
  EXPECT_EQ(at(machine, "0000:03:00.0").parent, Address::parse("0000:02:00.0"));
  EXPECT_EQ(at(machine, "0000:04:00.0").parent, Address::parse("0000:02:01.0"));
  EXPECT_EQ(at(machine, "0000:04:00.0").root_bus, 0);
}

TEST(Dump, ReadsAcsOfEachPort) {
  const auto machine = parse(a_switch());
  EXPECT_EQ(at(machine, "0000:02:00.0").acs, (Acs{.state = Acs::State::present, .capability = 0x1f, .control = 0x1d}));
  EXPECT_EQ(at(machine, "0000:02:01.0").acs.state, Acs::State::absent);
}

TEST(Dump, TakesRootBusesFromFunctionsWithoutABridge) {
  const auto machine = parse(dump_of("0000:80:01.0 root port", ConfigSpaceBuilder().bridge(0x80, 0x81, 0x81).pcie(4).bytes()) +
                             dump_of("0000:81:00.0 endpoint", ConfigSpaceBuilder().pcie(0).bytes()));
  EXPECT_EQ(at(machine, "0000:81:00.0").root_bus, 0x80);
  EXPECT_EQ(at(machine, "0000:80:01.0").root_bus, 0x80);
}

TEST(Dump, KeepsDomainsApart) {
  const auto machine = parse(dump_of("0000:00:01.0 root port", ConfigSpaceBuilder().bridge(0, 1, 1).pcie(4).bytes()) +
                             dump_of("0001:01:00.0 endpoint", ConfigSpaceBuilder().pcie(0).bytes()) +
                             dump_of("10000:00:02.0 behind a VMD", ConfigSpaceBuilder().bridge(0, 1, 1).pcie(4).bytes()) +
                             dump_of("10000:01:00.0 behind a VMD", ConfigSpaceBuilder().pcie(0).bytes()));
  EXPECT_FALSE(at(machine, "0001:01:00.0").parent);
  EXPECT_EQ(at(machine, "10000:01:00.0").parent, Address::parse("10000:00:02.0"));
  EXPECT_EQ(at(machine, "10000:01:00.0").root_domain, 0x10000U);
}

TEST(Dump, EndsWhenBridgesClaimEachOther) {
  const auto machine = parse(dump_of("01:00.0 bridge", ConfigSpaceBuilder().bridge(1, 2, 2).pcie(5).bytes()) +
                             dump_of("02:00.0 bridge", ConfigSpaceBuilder().bridge(2, 1, 255).pcie(5).bytes()));
  EXPECT_EQ(at(machine, "0000:02:00.0").parent, Address::parse("0000:01:00.0"));
  EXPECT_FALSE(at(machine, "0000:01:00.0").parent);
}

// Below which of two bridges a function is that both lead to its bus, nobody can say.
TEST(Dump, PutsNobodyBelowOneOfTwoBridgesThatLeadToOneBus) {
  using Builder = ConfigSpaceBuilder;
  const auto with = [](std::uint8_t secondary, std::uint8_t subordinate) {
    return parse(dump_of("00:01.0 root port", Builder().bridge(0, 1, 6).pcie(4).bytes()) +
                 dump_of("01:00.0 upstream", Builder().bridge(1, 2, 6).pcie(5).bytes()) +
                 dump_of("02:00.0 downstream", Builder().bridge(2, 3, 3).pcie(6).bytes()) +
                 dump_of("02:01.0 downstream", Builder().bridge(2, secondary, subordinate).pcie(6).bytes()) +
                 dump_of("03:00.0 an endpoint", Builder().pcie(0).bytes()));
  };
  EXPECT_EQ(at(with(4, 5), "0000:03:00.0").port_type, PortType::endpoint);
  for (const auto& machine : {with(3, 3), with(3, 5)}) {
    EXPECT_EQ(at(machine, "0000:03:00.0").port_type, PortType::unknown);
    EXPECT_EQ(at(machine, "0000:03:00.0").acs.state, Acs::State::unknown);
    EXPECT_EQ(at(machine, "0000:02:00.0").port_type, PortType::switch_downstream);
  }
}

TEST(Dump, PutsNobodyBelowABridgeThatDoesNotLeadToItsBus) {
  using Builder = ConfigSpaceBuilder;
  const auto with = [](std::uint8_t subordinate) {
    return parse(dump_of("00:01.0 root port", Builder().bridge(0, 1, subordinate).pcie(4).bytes()) +
                 dump_of("01:00.0 upstream", Builder().bridge(1, 2, 3).pcie(5).bytes()) +
                 dump_of("02:00.0 downstream", Builder().bridge(2, 3, 3).pcie(6).bytes()) +
                 dump_of("03:00.0 an endpoint", Builder().pcie(0).bytes()));
  };
  EXPECT_EQ(at(with(3), "0000:03:00.0").port_type, PortType::endpoint);
  EXPECT_EQ(at(with(2), "0000:03:00.0").port_type, PortType::unknown);
}

TEST(Dump, KnowsOfVfsThatItDoesNotHave) {
  auto config = ConfigSpaceBuilder().pcie(0);
  config.sriov({.count = 2, .first_offset = 1, .stride = 1, .device = 1});
  const auto machine = parse(dump_of("00:01.0 root port", ConfigSpaceBuilder().bridge(0, 1, 1).pcie(4).bytes()) +
                             dump_of("01:00.0 a PF", config.bytes()));
  EXPECT_TRUE(at(machine, "0000:01:00.0").virtual_functions.empty());
  EXPECT_TRUE(at(machine, "0000:01:00.0").has_vfs_enabled);
  EXPECT_FALSE(at(machine, "0000:00:01.0").has_vfs_enabled);
}

TEST(Dump, TakesSizesDriverGroupAndNodeFromTheVerboseText) {
  const auto config = ConfigSpaceBuilder().bar32(0, 0xfe000000).io_bar(1, 0xc000).bar64(2, 0x4000000000).bytes();
  const auto machine = parse(dump_of("0000:05:00.0 endpoint", config,
                                     "\tNUMA node: 1\n\tIOMMU group: 17\n"
                                     "\tRegion 0: Memory at fe000000 (32-bit, non-prefetchable) [size=4K]\n"
                                     "\tRegion 1: I/O ports at c000 [size=128]\n"
                                     "\tRegion 2: Memory at 4000000000 (64-bit, prefetchable) [size=16G]\n"
                                     "\tExpansion ROM at fe100000 [disabled] [size=512K]\n"
                                     "\tCapabilities: [70] Something\n\t\tRegion 0: Memory at 00000000 (64-bit, prefetchable)\n"
                                     "\tKernel driver in use: vfio-pci\n\tKernel modules: nvme\n"));
  const auto& function = at(machine, "0000:05:00.0");
  EXPECT_EQ(function.driver, "vfio-pci");
  EXPECT_EQ(function.numa_node, 1);
  EXPECT_EQ(function.iommu_group, 17U);
  ASSERT_EQ(function.bars.size(), 3U);
  EXPECT_EQ(function.bars[0].size, Bytes{4096});
  EXPECT_EQ(function.bars[1].size, Bytes{128});
  EXPECT_EQ(function.bars[2].size, Bytes{16ULL << 30});
  EXPECT_FALSE(function.bars[2].cpu_address);
}

TEST(Dump, TakesSizesGroupAndNodeFromTheLessVerboseText) {
  const auto config = ConfigSpaceBuilder().bar32(0, 0xfe000000).bar64(2, 0x4000000000).bytes();
  const auto machine = parse(dump_of("05:00.0 endpoint", config,
                                     "\tFlags: bus master, fast devsel, latency 0, IRQ 22, NUMA node 1, IOMMU group 17\n"
                                     "\tMemory at fe000000 (32-bit, non-prefetchable) [size=4K]\n"
                                     "\tMemory at 4000000000 (64-bit, prefetchable) [size=1M]\n"));
  EXPECT_EQ(at(machine, "0000:05:00.0").numa_node, 1);
  EXPECT_EQ(at(machine, "0000:05:00.0").iommu_group, 17U);
  EXPECT_EQ(at(machine, "0000:05:00.0").bars[0].size, Bytes{4096});
  EXPECT_EQ(at(machine, "0000:05:00.0").bars[1].size, Bytes{1 << 20});
}

TEST(Dump, ListsABarThatOnlyTheTextKnows) {
  const auto machine = parse(dump_of("05:00.0 endpoint", ConfigSpaceBuilder().bytes(),
                                     "\tRegion 0: Memory at <unassigned> (32-bit, non-prefetchable) [disabled] [size=1M]\n"));
  ASSERT_EQ(at(machine, "0000:05:00.0").bars.size(), 1U);
  EXPECT_FALSE(at(machine, "0000:05:00.0").bars[0].is_assigned);
  EXPECT_EQ(at(machine, "0000:05:00.0").bars[0].size, Bytes{1 << 20});
}

// Its register is empty, so it is none of those that follow.
TEST(Dump, TakesNoSizeOfABarThatHasNoAddressForThatOfTheNext) {
  const auto machine = parse(dump_of("05:00.0 endpoint", ConfigSpaceBuilder().bar32(1, 0xfe000000).bytes(),
                                     "\tMemory at <unassigned> (32-bit, non-prefetchable) [size=1M]\n"
                                     "\tMemory at fe000000 (32-bit, non-prefetchable) [size=16K]\n"));
  ASSERT_EQ(at(machine, "0000:05:00.0").bars.size(), 1U);
  EXPECT_EQ(at(machine, "0000:05:00.0").bars[0].size, Bytes{16384});
}

TEST(Dump, TakesWhatTheKernelDoesNotUseForNoAddress) {
  for (const std::string number : {"Region 0: ", ""}) {
    const auto machine = parse(dump_of("05:00.0 endpoint", ConfigSpaceBuilder().bar32(0, 0xfe000000).bytes(),
                                       "\t" + number + "Memory at <ignored> (32-bit, non-prefetchable) [size=16K]\n"));
    ASSERT_EQ(at(machine, "0000:05:00.0").bars.size(), 1U);
    EXPECT_FALSE(at(machine, "0000:05:00.0").bars[0].is_assigned) << number;
    EXPECT_FALSE(at(machine, "0000:05:00.0").bars[0].bus_address) << number;
    EXPECT_EQ(at(machine, "0000:05:00.0").bars[0].size, Bytes{16384});
  }
}

TEST(Dump, LeavesSizesUnknownWithoutTheVerboseText) {
  const auto machine = parse(a_switch());
  ASSERT_EQ(at(machine, "0000:04:00.0").bars.size(), 1U);
  EXPECT_EQ(at(machine, "0000:04:00.0").bars[0].size, Bytes{0});
  EXPECT_EQ(at(machine, "0000:04:00.0").bars[0].bus_address, BusAddress{0x4000000000});
}

TEST(Dump, JoinsVirtualFunctionsToTheirPhysicalFunction) {
  const auto physical = ConfigSpaceBuilder()
                            .ids(0x8086, 0x1592)
                            .pcie(0)
                            .sriov({.count = 2, .first_offset = 256, .stride = 1, .device = 0x1889, .bar0 = 0x5000000000})
                            .bytes();
  const auto virtual_function = ConfigSpaceBuilder().ids(0xffff, 0xffff).class_code(0x020000).command(4).pcie(0).bytes();
  const std::string region = "\tRegion 0: Memory at 5000010000 (64-bit, prefetchable) [virtual] [size=64K]\n";
  const auto machine = parse(dump_of("00:01.0 root port", ConfigSpaceBuilder().bridge(0, 1, 2).pcie(4).bytes()) +
                             dump_of("01:00.0 physical", physical) + dump_of("02:00.0 virtual", virtual_function, region) +
                             dump_of("02:00.1 virtual", virtual_function, region));
  EXPECT_EQ(at(machine, "0000:01:00.0").virtual_functions,
            (std::vector{*Address::parse("0000:02:00.0"), *Address::parse("0000:02:00.1")}));
  const auto& second = at(machine, "0000:02:00.1");
  EXPECT_EQ(second.physical_function, Address::parse("0000:01:00.0"));
  EXPECT_EQ(second.parent, Address::parse("0000:00:01.0"));
  EXPECT_EQ(second.vendor, 0x8086);
  EXPECT_EQ(second.device, 0x1889);
  EXPECT_EQ(second.memory_decode, true);
  ASSERT_EQ(second.bars.size(), 1U);
  EXPECT_EQ(second.bars[0].bus_address, BusAddress{0x5000010000});
  EXPECT_FALSE(second.is_multifunction);
}

TEST(Dump, KnowsOfAFunctionThatDoesNotAnswerOnlyThatItIsThere) {
  const auto machine = parse(dump_of("05:00.0 endpoint", std::vector<std::uint8_t>(64, 0xff)));
  const auto& function = at(machine, "0000:05:00.0");
  EXPECT_EQ(function.port_type, PortType::unknown);
  EXPECT_EQ(function.acs.state, Acs::State::unknown);
  EXPECT_FALSE(function.memory_decode);
  EXPECT_TRUE(function.bars.empty());
}

TEST(Dump, PassesOverLinesThatItDoesNotKnow) {
  const auto machine = parse("lspci: Unable to load libkmod resources: error -2\r\n\r\n" +
                             dump_of("05:00.0 endpoint\r", ConfigSpaceBuilder().bytes(64)));
  EXPECT_EQ(machine.functions().size(), 1U);
}

TEST(Dump, NamesTheLineThatIsMalformed) {
  const auto text_of = [](const std::string& text) {
    const auto machine = parse_dump(text);
    return machine ? "no error" : machine.error().text;
  };
  EXPECT_THAT(text_of("05:00.0 endpoint\n00: 86 80 zz\n"), HasSubstr("line 2"));
  EXPECT_THAT(text_of("05:00.0 endpoint\n00: 86 80\n10: 00\n"), HasSubstr("line 3"));
  EXPECT_THAT(text_of("05:00.0 endpoint\n00: 86 80\n00: 86\n"), HasSubstr("line 3"));
  EXPECT_THAT(text_of("05:00.0 a\n00: 86\n\n05:00.0 b\n00: 86\n"), HasSubstr("twice"));
  EXPECT_THAT(text_of("05:00.0 endpoint\n\tFlags: fast devsel\n"), HasSubstr("lspci -xxxx"));
  EXPECT_THAT(text_of(""), HasSubstr("lspci -xxxx"));
}

TEST(Dump, TakesNoMoreThanAWholeConfigSpace) {
  EXPECT_TRUE(parse_dump(dump_of("05:00.0 endpoint", std::vector<std::uint8_t>(4096))));
  EXPECT_FALSE(parse_dump(dump_of("05:00.0 endpoint", std::vector<std::uint8_t>(4112))));
}

// A virtual machine without bridges: six conventional functions.
TEST(Dump, ReadsARealDump) {
  const auto machine = read_dump(data("flat-guest.lspci"));
  ASSERT_TRUE(machine) << machine.error().text;
  ASSERT_EQ(machine->functions().size(), 6U);
  const auto& disk = at(*machine, "0000:00:02.0");
  EXPECT_EQ(disk.vendor_name, "Red Hat, Inc.");
  EXPECT_EQ(disk.class_code, 0x018000U);
  EXPECT_EQ(disk.revision, 1);
  EXPECT_EQ(disk.port_type, PortType::conventional);
  EXPECT_EQ(disk.acs.state, Acs::State::absent);
  EXPECT_EQ(disk.memory_decode, true);
  EXPECT_FALSE(disk.parent);
  ASSERT_EQ(disk.bars.size(), 1U);
  EXPECT_EQ(disk.bars[0], (Bar{.index = 0,
                               .cpu_address = {},
                               .bus_address = BusAddress{0x4000080000},
                               .size = {},
                               .is_64bit = true,
                               .is_assigned = true}));
  ASSERT_TRUE(disk.msix);
  EXPECT_EQ(disk.msix->table_offset, Bytes{0x8000});
  EXPECT_EQ(disk.msix->table_length, Bytes{32});
  EXPECT_EQ(disk.msix->pba_offset, Bytes{0x48000});
}

TEST(Dump, KnowsMoreFromTheVerboseFormOfTheSameDump) {
  const auto plain = read_dump(data("flat-guest.lspci"));
  const auto verbose = read_dump(data("flat-guest-verbose.lspci"));
  ASSERT_TRUE(plain && verbose);
  auto functions = verbose->functions();
  EXPECT_EQ(functions.at(2).bars.at(0).size, Bytes{512 << 10});
  EXPECT_EQ(functions.at(2).driver, "virtio-pci");
  // Otherwise they are the same.
  for (Function& function : functions) {
    function.driver.clear();
    for (Bar& bar : function.bars) bar.size = {};
  }
  EXPECT_EQ(functions, plain->functions());
}

// The laboratory's machine: a switch without ACS, one whose ports have it, an NVMe with two VFs.
TEST(Dump, ReadsARealDumpWithSwitchesAndVirtualFunctions) {
  const auto machine = read_dump(data("switches.lspci"));
  ASSERT_TRUE(machine) << machine.error().text;
  ASSERT_EQ(machine->functions().size(), 32U);

  const auto& port = at(*machine, "0000:08:01.0");
  EXPECT_EQ(port.acs, (Acs{.state = Acs::State::present, .capability = 0x5f, .control = 0x1d}));
  EXPECT_EQ(port.parent, Address::parse("0000:07:00.0"));
  EXPECT_EQ(port.bridge->memory, make_range(BusAddress{0xfda00000}, Bytes{0x200000}));
  EXPECT_EQ(at(*machine, "0000:04:0b.0").port_type, PortType::switch_downstream);
  EXPECT_EQ(at(*machine, "0000:04:0b.0").acs.state, Acs::State::absent);
  EXPECT_EQ(at(*machine, "0000:05:00.0").parent, Address::parse("0000:04:0b.0"));
  EXPECT_EQ(at(*machine, "0000:0c:00.1").parent, Address::parse("0000:00:0d.0"));
  EXPECT_TRUE(at(*machine, "0000:0c:00.1").is_multifunction);

  const auto& second = at(*machine, "0000:02:00.2");
  EXPECT_EQ(second.physical_function, Address::parse("0000:02:00.0"));
  EXPECT_EQ(second.device_name, "QEMU NVM Express Controller");
  EXPECT_EQ(second.memory_decode, true);
  EXPECT_EQ(at(*machine, "0000:02:00.0").virtual_functions.size(), 2U);
}

TEST(Dump, KeepsTheTreeButNotAcsOfADumpThatWasMadeWithoutRoot) {
  const auto whole = read_dump(data("switches.lspci"));
  const auto cut = read_dump(data("switches-unprivileged.lspci"));
  ASSERT_TRUE(whole && cut);
  ASSERT_EQ(cut->functions().size(), whole->functions().size());
  for (std::size_t index = 0; index < cut->functions().size(); ++index) {
    const auto& function = cut->functions()[index];
    EXPECT_EQ(function.parent, whole->functions()[index].parent) << function.address.to_string();
    EXPECT_EQ(function.bridge, whole->functions()[index].bridge) << function.address.to_string();
    if (function.bridge) {
      EXPECT_EQ(function.acs.state, Acs::State::unknown) << function.address.to_string();
    }
  }
}

TEST(Dump, ReadsTheLessVerboseFormOfARealDump) {
  const auto machine = read_dump(data("switches-verbose.lspci"));
  ASSERT_TRUE(machine) << machine.error().text;
  const auto& target = at(*machine, "0000:05:00.0");
  EXPECT_EQ(target.driver, "vfio-pci");
  EXPECT_EQ(target.iommu_group, 15U);
  ASSERT_NE(target.find_bar(2), nullptr);
  EXPECT_EQ(target.find_bar(2)->size, Bytes{1 << 20});
}

TEST(Dump, ReadsAFileAndNamesItsFunctions) {
  const auto file = std::filesystem::path(testing::TempDir()) / "p2pd-dump-names";
  std::ofstream(file) << dump_of("05:00.0 endpoint", ConfigSpaceBuilder().ids(0x8086, 0x1237).class_code(0x060000).bytes());
  const auto machine = read_dump(file);
  std::filesystem::remove(file);
  ASSERT_TRUE(machine) << machine.error().text;
  EXPECT_EQ(machine->functions()[0].vendor_name, "Intel Corporation");
  EXPECT_EQ(machine->functions()[0].class_name, "Host bridge");
}

TEST(Dump, SaysWhichFileCannotBeRead) {
  for (const auto& file : {std::filesystem::path("/nonexistent/dump"), std::filesystem::path("/")}) {
    const auto machine = read_dump(file);
    ASSERT_FALSE(machine);
    EXPECT_THAT(machine.error().text, HasSubstr(file.string()));
  }
}

RC_GTEST_PROP(DumpProperty, NeverFailsOtherwiseThanByAReason, (const std::string& noise)) {
  // Noise between, before and instead of lines that are well formed.
  const auto rows = dump_of("05:00.0 endpoint", ConfigSpaceBuilder().bridge(5, 6, 7).pcie(6).acs(1, 1).bytes(512));
  const auto cut = *rc::gen::inRange<std::size_t>(0, rows.size());
  const auto machine = parse_dump(rows.substr(0, cut) + noise + rows.substr(cut));
  RC_ASSERT(machine.has_value() || !machine.error().text.empty());
}

}  // namespace
}  // namespace p2pd::test
