// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>

#include "builders.h"
#include "platform/kernel_release.h"
#include "platform/root_complex.h"
#include "platform/tables.h"

namespace p2pd::test {

namespace {

TEST(KernelRelease, IsReadFromWhatUnamePrints) {
  EXPECT_EQ(parse_kernel_release("7.3.4-1~bpo13+1-amd64"), 7003U);
  EXPECT_EQ(parse_kernel_release("6.1.0-28-amd64"), 6001U);
  EXPECT_EQ(parse_kernel_release("6.12"), 6012U);
  EXPECT_EQ(kernel_name(7003), "7.3");
  EXPECT_EQ(kernel_name(6012), "6.12");
}

TEST(KernelRelease, IsNotGuessed) {
  for (const auto* text : {"", "7", "7.", "seven.three", ".3", "-1.2", "6.1000", "99999999999.1"})
    EXPECT_FALSE(parse_kernel_release(text)) << text;
}

// Counted in p2pdma.c of the releases named.
TEST(HostBridgeTable, HasAsManyEntriesAsTheKernelOfThatRelease) {
  const auto count = [](unsigned kernel) {
    const auto& all = builtin_tables().host_bridges;
    return std::count_if(all.begin(), all.end(), [&](const HostBridgeEntry& entry) {
      return entry.since <= kernel && (entry.until == 0 || kernel <= entry.until);
    });
  };
  EXPECT_EQ(count(6001), 10);
  EXPECT_EQ(count(6019), 10);
  EXPECT_EQ(count(7001), 21);
  EXPECT_EQ(count(7002), 21);
  EXPECT_EQ(count(7003), 25);
}

TEST(HostBridgeTable, HasNothingThatIsOnlyQueued) {
  for (const auto& entry : builtin_tables().host_bridges) {
    EXPECT_NE(entry.vendor, 0x1d17) << "Zhaoxin comes with 7.4";
    EXPECT_FALSE(entry.vendor == 0x8086 && entry.device == 0x6f00) << "Broadwell comes with 7.4";
  }
}

Forwarding forwarding_between(const Machine& machine, unsigned kernel, std::string_view a, std::string_view b) {
  const auto above = [&](std::string_view name) {
    return host_bridge_above(machine, builtin_tables(), kernel, *machine.find(at(name)));
  };
  return root_complex_between(machine.host(), builtin_tables(), above(a), above(b)).forwarding;
}

struct RootCase {
  const char* what;
  HostChange cpu;
  std::uint16_t vendor_a, device_a;  // host bridge of root bus 00
  std::uint16_t vendor_b, device_b;  // of root bus 80; 0 = both functions are on root bus 00
  unsigned kernel;
  Forwarding forwarding;
};

class RootComplexBetween : public ::testing::TestWithParam<RootCase> {};

TEST_P(RootComplexBetween, IsAsTheKernelKnowsIt) {
  const auto& [what, cpu, vendor_a, device_a, vendor_b, device_b, kernel, forwarding] = GetParam();
  const Machine machine = a_machine().on(cpu).with(a_host_bridge("0000:00:00.0", vendor_a, device_a),
                                                   a_host_bridge("0000:80:00.0", vendor_b, device_b),
                                                   a_root_port("0000:00:02.0").with(an_endpoint("0000:01:00.0")),
                                                   a_root_port("0000:00:03.0").with(an_endpoint("0000:02:00.0")),
                                                   a_root_port("0000:80:02.0").with(an_endpoint("0000:81:00.0")));
  const auto* a = "0000:01:00.0";
  const auto* b = vendor_b != 0 ? "0000:81:00.0" : "0000:02:00.0";
  EXPECT_EQ(forwarding_between(machine, kernel, a, b), forwarding);
  EXPECT_EQ(forwarding_between(machine, kernel, b, a), forwarding);
}

void an_old_amd(HostFacts& host) {
  host.cpu_vendor = "AuthenticAMD";
  host.cpu_family = 0x15;
}
void no_cpu(HostFacts& host) { host.cpu_vendor = ""; }

INSTANTIATE_TEST_SUITE_P(
    Platform, RootComplexBetween,
    ::testing::Values(RootCase{"EpycIsABlanketYes", epyc, 0x1022, 0x1480, 0x1022, 0x1480, 7003, Forwarding::yes},
                      RootCase{"AmdBeforeZenIsNot", an_old_amd, 0x1022, 0x1480, 0, 0, 7003, Forwarding::not_listed},
                      RootCase{"HygonIsNot", hygon, 0x1d94, 0x1480, 0, 0, 7003, Forwarding::not_listed},
                      RootCase{"SkylakeForwardsBetweenHostBridges", intel, 0x8086, 0x2020, 0x8086, 0x2020, 6001, Forwarding::yes},
                      RootCase{"IceLakeIsListed", intel, 0x8086, 0x09a2, 0, 0, 6001, Forwarding::yes},
                      RootCase{"HaswellBelowOneHostBridge", intel, 0x8086, 0x2f00, 0, 0, 7003, Forwarding::yes},
                      RootCase{"HaswellBelowTwo", intel, 0x8086, 0x2f00, 0x8086, 0x2f00, 7003, Forwarding::same_bridge_only},
                      RootCase{"SkylakeAndAnUnlistedOne", intel, 0x8086, 0x2020, 0x8086, 0x1234, 7003, Forwarding::not_listed},
                      RootCase{"ClientChipsAreNotListed", intel, 0x8086, 0x29c0, 0, 0, 7003, Forwarding::not_listed},
                      RootCase{"DsaIsNotIn6_19", intel, 0x8086, 0x0b25, 0, 0, 6019, Forwarding::not_listed},
                      RootCase{"DsaIsIn7_1", intel, 0x8086, 0x0b25, 0, 0, 7001, Forwarding::yes},
                      RootCase{"GoogleIsAnyDeviceSince7_1", no_cpu, 0x1ae0, 0xabcd, 0, 0, 7001, Forwarding::yes},
                      RootCase{"VeraIsNotIn7_2", intel, 0x10de, 0x2f95, 0, 0, 7002, Forwarding::not_listed},
                      RootCase{"VeraIsIn7_3", intel, 0x10de, 0x2f95, 0, 0, 7003, Forwarding::yes},
                      RootCase{"AnUnknownCpuIsUnknownWhereTheListDoesNotHelp", no_cpu, 0x8086, 0x29c0, 0, 0, 7003,
                               Forwarding::unknown}),
    [](const auto& test) { return test.param.what; });

// p2pdma.c pci_host_bridge_dev(): 00.0, or a root port.
TEST(RootComplex, IsKnownByTheFirstFunctionOfTheRootBusOnly) {
  const auto between = [](Node first) {
    const Machine machine = a_machine().on(intel).with(first.with(ids(0x8086, 0x2030)), an_endpoint("0000:00:1e.0"),
                                                       a_root_port("0000:00:1f.0").with(an_endpoint("0000:01:00.0")));
    return forwarding_between(machine, 7003, "0000:01:00.0", "0000:00:1e.0");
  };
  EXPECT_EQ(between(a_root_port("0000:00:02.0")), Forwarding::yes);
  EXPECT_EQ(between(an_endpoint("0000:00:00.0")), Forwarding::yes);
  EXPECT_EQ(between(an_endpoint("0000:00:02.0")), Forwarding::not_listed);
  EXPECT_EQ(between(a_bridge("0000:00:02.0", PortType::unknown, "")), Forwarding::unknown);
}

}  // namespace

}  // namespace p2pd::test
