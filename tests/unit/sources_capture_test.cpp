// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A capture of a machine, read back, is the machine.
#include "sources/capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>

#include "config_space_builder.h"
#include "fake_sysfs.h"
#include "sources/capability_list.h"
#include "topology/topology.h"

namespace p2pd::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using Builder = ConfigSpaceBuilder;

Address at(const std::string& text) { return Address::parse(text).value(); }

// A root port, a switch with two ports that redirect, an endpoint below each.
void add_a_switch(FakeSysfs& tree, const std::vector<std::uint8_t>& first_port) {
  const auto port = Builder().bridge(2, 4, 4).pcie(6).acs(0x1f, 0x1d).bytes();
  tree.add({.address = at("0000:00:01.0"), .config = Builder().bridge(0, 1, 4).pcie(4).acs(0x1f, 0x1d).bytes()});
  tree.add({.address = at("0000:01:00.0"), .parent = at("0000:00:01.0"), .config = Builder().bridge(1, 2, 4).pcie(5).bytes()});
  tree.add({.address = at("0000:02:00.0"), .parent = at("0000:01:00.0"), .config = first_port});
  tree.add({.address = at("0000:02:01.0"), .parent = at("0000:01:00.0"), .config = port});
  tree.add({.address = at("0000:03:00.0"),
            .parent = at("0000:02:00.0"),
            .config = Builder().ids(0x1d1d, 1).bar32(0, 0xfe000000).pcie(0).bytes(),
            .bars = {{0, 0xfe000000, 0x4000, memory_bar}},
            .driver = "vfio-pci",
            .group = 7});
  tree.add({.address = at("0000:04:00.0"),
            .parent = at("0000:02:01.0"),
            .config = Builder().ids(0x1d1d, 2).bar64(2, 0x4000000000).pcie(0).bytes(),
            .bars = {{2, 0x4000000000, 0x100000, wide_memory_bar}},
            .driver = "nvme",
            .group = 8,
            .numa_node = 1});
}

std::vector<std::uint8_t> a_port() { return Builder().bridge(2, 3, 3).pcie(6).acs(0x1f, 0x1d).bytes(); }

std::string captured(const FakeSysfs& tree, bool strip = false) {
  std::string text;
  const auto done = capture({.sysfs_root = tree.sysfs(), .strip = strip}, [&](const std::string& part) {
    text += part;
    return true;
  });
  EXPECT_TRUE(done) << (done ? "" : done.error().text);
  return text;
}

Machine read_back(const std::string& text) {
  auto machine = parse_dump(text);
  EXPECT_TRUE(machine) << (machine ? "" : machine.error().text);
  return machine ? *machine : Machine();
}

const Function& function(const Machine& machine, const std::string& address) { return *machine.find(at(address)); }

TEST(Capture, ReadBackIsWhatTheLiveMachineSays) {
  FakeSysfs tree;
  add_a_switch(tree, a_port());
  const auto live = *read_live_machine(tree.options());
  const auto machine = read_back(captured(tree));
  ASSERT_EQ(machine.functions().size(), live.functions().size());
  for (const auto& expected : live.functions()) {
    const auto& got = *machine.find(expected.address);
    EXPECT_EQ(got.vendor, expected.vendor);
    EXPECT_EQ(got.parent, expected.parent);
    EXPECT_EQ(got.port_type, expected.port_type);
    EXPECT_EQ(got.acs, expected.acs);
    EXPECT_EQ(got.driver, expected.driver);
    EXPECT_EQ(got.iommu_group, expected.iommu_group);
    EXPECT_EQ(got.numa_node, expected.numa_node);
    EXPECT_EQ(got.bridge, expected.bridge);
    ASSERT_EQ(got.bars.size(), expected.bars.size());
    for (std::size_t i = 0; i < got.bars.size(); ++i) {
      auto bar = expected.bars[i];
      bar.cpu_address.reset();  // of no use in another place
      EXPECT_EQ(got.bars[i], bar);
    }
  }
}

TEST(Capture, LooksAsLspciPrintsIt) {
  FakeSysfs tree;
  tree.add({.address = at("0000:00:01.0"),
            .config = Builder().ids(0x8086, 0x2030).class_code(0x060400).bridge(0, 1, 4).bytes(256),
            .driver = "pcieport",
            .group = 3});
  const auto text = captured(tree, true);
  EXPECT_THAT(text, testing::StartsWith("0000:00:01.0 0604: 8086:2030\n\tIOMMU group: 3\n00: 86 80 30 20 "));
  EXPECT_THAT(text, HasSubstr("\nf0: 00 00"));
  EXPECT_TRUE(text.ends_with(" 00\n\n"));
}

TEST(Capture, IsReadByLspci) {
  FakeSysfs tree;
  add_a_switch(tree, a_port());
  const auto file = tree.top() / "dump";
  std::ofstream(file) << captured(tree);
  const auto again = tree.top() / "by-lspci";
  ASSERT_EQ(std::system(("lspci -D -xxxx -F " + file.string() + " >" + again.string() + " 2>/dev/null").c_str()), 0);
  const auto machine = *read_dump(file);
  const auto by_lspci = *read_dump(again);
  ASSERT_EQ(by_lspci.functions().size(), 6U);
  for (const auto& function : machine.functions()) {
    EXPECT_EQ(by_lspci.find(function.address)->acs, function.acs);
    EXPECT_EQ(by_lspci.find(function.address)->parent, function.parent);
  }
}

// What is below it would move up, to where nothing redirects.
TEST(Capture, KeepsASleepingPortsPlaceWhateverCouldBeReadOfIt) {
  for (const auto& silent : {std::vector<std::uint8_t>{}, std::vector<std::uint8_t>(64, 0xff)}) {
    FakeSysfs tree;
    add_a_switch(tree, silent);
    const auto machine = read_back(captured(tree));
    ASSERT_NE(machine.find(at("0000:02:00.0")), nullptr);
    const auto& below = function(machine, "0000:03:00.0");
    EXPECT_EQ(below.parent, at("0000:02:00.0"));
    EXPECT_TRUE(function(machine, "0000:02:00.0").is_bridge());
    EXPECT_EQ(function(machine, "0000:02:00.0").acs.state, Acs::State::unknown);
    EXPECT_FALSE(reach_set(machine, below).is_complete);
    EXPECT_EQ(function(machine, "0000:04:00.0").parent, at("0000:02:01.0")) << "nothing else moves";
  }
}

TEST(Capture, PutsFunctionsBelowASleepingRootPort) {
  FakeSysfs tree;
  tree.add({.address = at("0000:00:01.0"), .config = std::vector<std::uint8_t>(64, 0xff)});
  tree.add({.address = at("0000:01:00.0"), .parent = at("0000:00:01.0"), .config = Builder().ids(0x1d1d, 1).pcie(0).bytes()});
  tree.add({.address = at("0000:01:00.1"), .parent = at("0000:00:01.0"), .config = Builder().ids(0x1d1d, 1).pcie(0).bytes()});
  const auto machine = read_back(captured(tree));
  EXPECT_EQ(function(machine, "0000:01:00.0").parent, at("0000:00:01.0"));
  EXPECT_EQ(function(machine, "0000:01:00.0").root_bus, 0);
}

// Somebody cut it out of the text.
TEST(Capture, JudgesNothingBelowABridgeThatIsMissing) {
  FakeSysfs tree;
  add_a_switch(tree, a_port());
  auto text = captured(tree);
  const auto begin = text.find("0000:02:00.0");
  text.erase(begin, text.find("\n\n", begin) + 2 - begin);
  const auto machine = read_back(text);
  EXPECT_EQ(function(machine, "0000:03:00.0").port_type, PortType::unknown);
  EXPECT_EQ(function(machine, "0000:03:00.0").acs.state, Acs::State::unknown);
  EXPECT_EQ(function(machine, "0000:04:00.0").port_type, PortType::endpoint);
}

TEST(Capture, CountsWhatCouldNotBeReadToItsEnd) {
  FakeSysfs tree;
  add_a_switch(tree, {});
  const auto done = capture({.sysfs_root = tree.sysfs()}, [](const std::string&) { return true; });
  ASSERT_TRUE(done);
  EXPECT_EQ(done->functions, 6U);
  EXPECT_EQ(done->cut, 1U);
}

TEST(Capture, EndsWhenNobodyTakesIt) {
  FakeSysfs tree;
  add_a_switch(tree, a_port());
  unsigned parts = 0;
  EXPECT_FALSE(capture({.sysfs_root = tree.sysfs()}, [&](const std::string&) { return ++parts < 2; }));
  EXPECT_EQ(parts, 2U);
}

TEST(Capture, SaysThatThereIsNothing) {
  FakeSysfs tree;
  EXPECT_FALSE(capture({.sysfs_root = tree.top() / "nowhere"}, [](const std::string&) { return true; }));
}

// VPD at 0x40, a vendor's registers at 0x60 and 0x70, a clique at 0x80; serial number at 0x100, then ACS right before it.
std::vector<std::uint8_t> with_secrets() {
  Builder builder;
  builder.ids(0x10de, 0x2330).set16(0x06, 0x10).set8(0x34, 0x40);
  builder.set16(0x40, 0x8003).set32(0x44, 0x5ec4e701);  // VPD's data register
  builder.set16(0x80, 0x6009).set8(0x82, 8).set8(0x83, 'P').set8(0x84, '2').set8(0x85, 'P').set16(0x86, 0x0008);
  builder.set16(0x60, 0x9009).set8(0x62, 16).set32(0x64, 0x5ec4e702);                  // of a vendor
  builder.set16(0x90, 0x0010).set16(0x92, 0x0002).set32(0xe0, 0x5ec4e703);             // PCI Express; in no capability
  builder.set32(0x100, 0x1081000d).set16(0x104, 0x5f).set16(0x106, 0x1d);              // ACS, the next at 0x108
  builder.set32(0x108, 0x20010003).set32(0x10c, 0x5ec4e704).set32(0x110, 0x5ec4e705);  // serial number
  builder.set32(0x200, 0x0001000b).set32(0x208, 0x5ec4e706);                           // VSEC
  return builder.bytes();
}

bool has_secret(const std::vector<std::uint8_t>& bytes) {
  for (std::size_t i = 0; i + 4 <= bytes.size(); ++i)
    if (bytes[i + 1] == 0xe7 && bytes[i + 2] == 0xc4 && bytes[i + 3] == 0x5e) return true;
  return false;
}

TEST(CaptureStrip, LeavesOnlyWhatRulesRead) {
  const auto whole = with_secrets();
  ASSERT_TRUE(has_secret(whole));
  const auto stripped = strip_config(whole);
  EXPECT_FALSE(has_secret(stripped));
  EXPECT_EQ(decode_config(ConfigBytes(stripped)), decode_config(ConfigBytes(whole)));
  EXPECT_EQ(decode_config(ConfigBytes(stripped)).acs, (Acs{Acs::State::present, 0x5f, 0x1d}));
  EXPECT_TRUE(std::equal(whole.begin() + 0x80, whole.begin() + 0x88, stripped.begin() + 0x80)) << "the clique";
  EXPECT_EQ(read_capabilities(ConfigBytes(stripped)).entries.size(), 4U);
  EXPECT_EQ(read_extended_capabilities(ConfigBytes(stripped)).entries.size(), 3U);
}

TEST(CaptureStrip, LeavesOutNamesOfDevicesAndDrivers) {
  FakeSysfs tree;
  tree.add({.address = at("0000:00:01.0"), .config = with_secrets(), .driver = "secret-driver"});
  EXPECT_THAT(captured(tree), HasSubstr("secret-driver"));
  const auto text = captured(tree, true);
  EXPECT_THAT(text, Not(HasSubstr("secret-driver")));
  EXPECT_THAT(text, HasSubstr("0000:00:01.0 0000: 10de:2330\n"));
}

TEST(CaptureStrip, KeepsAListThatLoopsOrBreaksOff) {
  auto bytes = with_secrets();
  for (const auto& [offset, value] : {std::pair<std::size_t, std::uint8_t>{0x81, 0x40}, {0x80, 0xff}, {0x61, 0x34}}) {
    auto broken = bytes;
    broken[offset] = value;
    const auto stripped = strip_config(broken);
    EXPECT_EQ(read_capabilities(ConfigBytes(stripped)).is_complete, read_capabilities(ConfigBytes(broken)).is_complete);
    EXPECT_EQ(decode_config(ConfigBytes(stripped)), decode_config(ConfigBytes(broken)));
  }
  std::fill_n(bytes.begin() + 0x108, 4, std::uint8_t{0xff});
  EXPECT_FALSE(read_extended_capabilities(ConfigBytes(strip_config(bytes))).is_complete);
}

// Capabilities as drawn, in a drawn order, all other bytes noise, cut off somewhere: rules read the same of it.
RC_GTEST_PROP(CaptureStrip, ChangesNothingForTheRules, ()) {
  Builder builder;
  builder.ids(*rc::gen::arbitrary<std::uint16_t>(), 1).bar64(2, 0x4000000000);
  if (*rc::gen::arbitrary<bool>()) builder.bridge(0, 1, 4);
  const std::vector<std::function<void()>> capabilities{
      [&] { builder.pcie(*rc::gen::inRange(0U, 11U)); }, [&] { builder.power(*rc::gen::inRange(0U, 4U)); },
      [&] { builder.msix(32, 2, 0x1000, 2, 0x2000); },   [&] { builder.acs(0x7f, *rc::gen::inRange<std::uint16_t>(0, 0x80)); },
      [&] { builder.ats(*rc::gen::arbitrary<bool>()); }, [&] { builder.sriov({.bar0 = 0x5000000000}); }};
  for (const auto which : *rc::gen::unique<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, capabilities.size())))
    capabilities[which]();
  auto bytes = builder.bytes();
  for (std::size_t i = 0x300; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
  bytes.resize(*rc::gen::inRange<std::size_t>(0, 4097));
  const auto stripped = strip_config(bytes);
  RC_ASSERT(stripped.size() == bytes.size());
  RC_ASSERT(decode_config(ConfigBytes(stripped)) == decode_config(ConfigBytes(bytes)));
  for (std::size_t i = 0x300; i < stripped.size(); ++i) RC_ASSERT(stripped[i] == 0);
}

}  // namespace
}  // namespace p2pd::test
