// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

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

// platform-knowledge §1.3 and §1.7, by hand: p2pdma.c of the releases named. A flag S = below one host bridge only.
struct Listed {
  const char* id;
  bool same_bridge_only;
  unsigned since;  // 0 = in all that were read, from 6.1 on
};
constexpr Listed listed[] = {
    {"8086:3c00", true, 0},     {"8086:3c01", true, 0},     {"8086:2f00", true, 0},     {"8086:2f01", true, 0},
    {"8086:2030", false, 0},    {"8086:2031", false, 0},    {"8086:2032", false, 0},    {"8086:2033", false, 0},
    {"8086:2020", false, 0},    {"8086:09a2", false, 0},    {"8086:0b25", false, 7001}, {"8086:0cfe", false, 7001},
    {"8086:11fb", false, 7001}, {"8086:1212", false, 7001}, {"8086:1216", false, 7001}, {"8086:4940", false, 7001},
    {"8086:4942", false, 7001}, {"8086:4944", false, 7001}, {"8086:4946", false, 7001}, {"8086:4948", false, 7001},
    {"1ae0:*", false, 7001},    {"10de:2f95", false, 7003}, {"10de:2f96", false, 7003}, {"10de:2f97", false, 7003},
    {"10de:2f98", false, 7003}};

std::string id_of(const IdRange& range) {
  if (range.first == 0 && range.last == 0xffff) return fmt::format("{:04x}:*", range.vendor);
  EXPECT_EQ(range.first, range.last) << "the kernel's list has no ranges";
  return fmt::format("{:04x}:{:04x}", range.vendor, range.first);
}

class HostBridgeTable : public ::testing::TestWithParam<unsigned> {};

TEST_P(HostBridgeTable, IsTheKernelsOfThatRelease) {
  const auto kernel = GetParam();
  std::vector<std::pair<std::string, bool>> expected;
  for (const auto& [id, same_bridge_only, since] : listed)
    if (since <= kernel) expected.emplace_back(id, same_bridge_only);
  std::vector<std::pair<std::string, bool>> found;
  for (const auto& entry : shipped_tables().host_bridges)
    if (entry.about.applies_to(kernel)) found.emplace_back(id_of(entry.id), entry.same_bridge_only);
  EXPECT_EQ(found, expected);
}

INSTANTIATE_TEST_SUITE_P(Platform, HostBridgeTable, ::testing::Values(6001U, 6012U, 6018U, 6019U, 7001U, 7002U, 7003U),
                         [](const auto& test) { return fmt::format("Kernel{}_{}", test.param / 1000, test.param % 1000); });

TEST(PlatformFiles, ThatAreShippedSayWhoSaysSo) {
  const auto& tables = shipped_tables();
  EXPECT_EQ(tables.newest_kernel, 7003U);
  const auto expect_sourced = [](const auto& entries, std::size_t least) {
    EXPECT_GE(entries.size(), least);
    for (const auto& entry : entries) {
      EXPECT_FALSE(entry.about.what.empty()) << entry.about.place;
      EXPECT_FALSE(entry.about.source.empty()) << entry.about.place;
      EXPECT_FALSE(entry.about.is_unsafe) << entry.about.place;
    }
  };
  expect_sourced(tables.host_bridges, 25);
  expect_sourced(tables.cpus, 1);
  expect_sourced(tables.isolated_ports, 20);
  expect_sourced(tables.chipset_ports, 3);
  expect_sourced(tables.root_complexes, 2);
  expect_sourced(tables.initiators, 10);
}

Forwarding forwarding_between(const Machine& machine, unsigned kernel, std::string_view a, std::string_view b) {
  const auto above = [&](std::string_view name) {
    return host_bridge_above(machine, shipped_tables(), kernel, *machine.find(at(name)));
  };
  return root_complex_between(machine.host(), shipped_tables(), above(a), above(b)).forwarding;
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

// ---- what platform.d knows better than the kernel's list

constexpr Tristate yes = Tristate::yes;
constexpr Tristate no = Tristate::no;
constexpr Tristate unknown = Tristate::unknown;

RootComplexEntry tried(std::uint16_t device, Tristate writes, Tristate reads, bool is_unsafe = false) {
  return {.host_bridges = {{0x8086, device, device}},
          .writes = writes,
          .reads = reads,
          .between_domains = false,
          .about = {.what = "a root complex", .source = "a test", .place = "x.toml:1", .is_unsafe = is_unsafe}};
}

// Between a root port below host bridge 8086:`a` and one below 8086:`b`.
RootComplex between(const PlatformTables& tables, std::uint16_t a, std::uint16_t b, std::string_view domain = "0000") {
  const auto other = std::string(domain);
  const Machine machine =
      a_machine().on(intel).with(a_host_bridge("0000:00:00.0", 0x8086, a), a_root_port("0000:00:02.0"),
                                 a_host_bridge(other + ":80:00.0", 0x8086, b), a_root_port(other + ":80:02.0"));
  const auto above = [&](const std::string& name) { return host_bridge_above(machine, tables, 7003, *machine.find(at(name))); };
  auto found = root_complex_between(machine.host(), tables, above("0000:00:02.0"), above(other + ":80:02.0"));
  found.host_bridge = {};  // lived as long as the machine
  return found;
}

struct KnownCase {
  const char* what;
  std::uint16_t a, b;  // 2020: in the kernel's list; 2f00: below one bridge only; 1111, 2222: in none
  std::vector<RootComplexEntry> entries;
  Tristate writes, reads;
};

class RootComplexKnown : public ::testing::TestWithParam<KnownCase> {};

TEST_P(RootComplexKnown, CountsByTheMoreCarefulOne) {
  const auto& [what, a, b, entries, writes, reads] = GetParam();
  auto tables = shipped_tables();
  tables.root_complexes = entries;
  for (const auto& found : {between(tables, a, b), between(tables, b, a)}) {
    EXPECT_EQ(found.writes, writes);
    EXPECT_EQ(found.reads, reads);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Platform, RootComplexKnown,
    ::testing::Values(KnownCase{"TheListAlone", 0x2020, 0x2020, {}, yes, yes},
                      KnownCase{"NobodyKnows", 0x1111, 0x2222, {}, unknown, unknown},
                      KnownCase{"TheListSaysBelowOneBridgeOnly", 0x2f00, 0x2f00, {}, no, no},
                      KnownCase{"ANoOverTheList", 0x2020, 0x2020, {tried(0x2020, yes, no)}, yes, no},
                      KnownCase{"AnUnknownOverTheList", 0x2020, 0x2020, {tried(0x2020, yes, unknown)}, yes, unknown},
                      KnownCase{"ANoOfOneOfTheTwo", 0x1111, 0x2222, {tried(0x2222, unknown, no)}, unknown, no},
                      KnownCase{"AYesOfOneOfTheTwoIsNone", 0x1111, 0x2222, {tried(0x1111, yes, yes)}, unknown, unknown},
                      KnownCase{"AYesOfBoth", 0x1111, 0x2222, {tried(0x1111, yes, yes), tried(0x2222, yes, no)}, yes, no},
                      KnownCase{"AYesDoesNotUndoTheListsNo", 0x2f00, 0x2f00, {tried(0x2f00, yes, yes)}, no, no},
                      KnownCase{"AnUnsafeYesDoes", 0x2f00, 0x2f00, {tried(0x2f00, yes, unknown, true)}, yes, unknown}),
    [](const auto& test) { return test.param.what; });

TEST(RootComplexKnown, NamesTheEntry) {
  auto tables = shipped_tables();
  tables.root_complexes = {tried(0x2020, yes, no)};
  EXPECT_EQ(between(tables, 0x2020, 0x2020).reason(), "a root complex: a test (x.toml:1)");
  EXPECT_EQ(between(tables, 0x2020, 0x2020).is_unsafe, nullptr);
  tables.root_complexes = {tried(0x2020, yes, yes, true)};
  ASSERT_NE(between(tables, 0x2020, 0x2020).is_unsafe, nullptr);
}

TEST(RootComplexKnown, JoinsDomainsOnlyWhereBothEntriesSaySo) {
  auto tables = shipped_tables();
  EXPECT_EQ(between(tables, 0x2020, 0x2020, "0001").writes, unknown) << "the kernel's list does not know of domains";
  tables.root_complexes = {tried(0x1111, yes, yes), tried(0x2222, yes, yes)};
  tables.root_complexes[0].between_domains = true;
  EXPECT_FALSE(between(tables, 0x1111, 0x2222, "0001").joins_domains);
  tables.root_complexes[1].between_domains = true;
  EXPECT_TRUE(between(tables, 0x1111, 0x2222, "0001").joins_domains);
  EXPECT_EQ(between(tables, 0x1111, 0x2222, "0001").reads, yes);
  EXPECT_FALSE(between(tables, 0x1111, 0x2222).joins_domains) << "there is one domain only";
}

TEST(RootComplexKnown, IsWhereTheEntryThatDecidedIs) {
  auto tables = shipped_tables();
  tables.root_complexes = {tried(0x2222, no, no)};
  const Machine machine = a_machine().on(epyc).with(a_host_bridge("0000:00:00.0", 0x8086, 0x1111), a_root_port("0000:00:02.0"),
                                                    a_host_bridge("0000:80:00.0", 0x8086, 0x2222), a_root_port("0000:80:02.0"));
  const auto above = [&](std::string_view name) { return host_bridge_above(machine, tables, 7003, *machine.find(at(name))); };
  for (const auto& [a, b] : {std::pair{"0000:00:02.0", "0000:80:02.0"}, {"0000:80:02.0", "0000:00:02.0"}})
    EXPECT_EQ(root_complex_between(machine.host(), tables, above(a), above(b)).where(), "0000:80:00.0");
}

TEST(RootComplexKnown, IsClosedAtPortsThatPassNothingToOthers) {
  const Machine machine = a_machine().with(a_root_port("0000:00:02.0").with(ids(0x1def, 0xe005)), a_root_port("0000:00:03.0"));
  const auto above = [&](std::string_view name) {
    return host_bridge_above(machine, shipped_tables(), 7003, *machine.find(at(name)));
  };
  const auto found = root_complex_between(machine.host(), shipped_tables(), above("0000:00:03.0"), above("0000:00:02.0"));
  EXPECT_EQ(found.writes, no);
  EXPECT_EQ(found.forwarding, Forwarding::yes) << "the kernel goes by the CPU";
  EXPECT_EQ(found.where(), "0000:00:02.0") << "what the host bridge is known by";
  const auto open = root_complex_between(machine.host(), shipped_tables(), above("0000:00:03.0"), above("0000:00:03.0"));
  EXPECT_EQ(open.where(), "") << "the CPU decides";
}

}  // namespace

}  // namespace p2pd::test
