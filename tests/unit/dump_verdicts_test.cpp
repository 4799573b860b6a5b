// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Verdicts about machines that the laboratory does not have (tests/data/generate), written down by hand, each with the
// paragraph that it follows from. A is 03:00.0, B 06:00.0, C 07:00.0, D 08:00.0; the generator has a picture of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "platform/ports.h"
#include "shipped_tables.h"
#include "sources/source.h"
#include "test_paths.h"
#include "verdict/judge.h"

namespace p2pd::test {
namespace {

constexpr auto yes = Answer::yes;
constexpr auto no = Answer::no;
constexpr auto unknown = Answer::unknown;

// In no list of root complexes, and in that of CPUs.
enum class Host : std::uint8_t { intel, amd, guest };

struct Case {
  const char* machine;
  Host host;
  const char* initiator;
  const char* target;
  Route route;
  Answer possible;
  Answer writes;
  Answer reads;
  Answer translated;
  std::set<std::string> certain;   // codes of blockers and limits
  std::set<std::string> doubtful;  // but for those that no dump tells
  const char* paragraph;
};

constexpr auto direct = Route::switched;
constexpr auto over_root = Route::root_complex;
constexpr auto none = Route::none;

const std::vector<Case>& cases() {
  // clang-format off
  static const std::vector<Case> table{
      // ---- nothing redirects
      {"direct", Host::intel, "0000:03:00.0", "0000:06:00.0:2", direct, yes, yes, yes, yes, {}, {},
       "p2pdma.rst: inside a switch always"},
      {"direct", Host::intel, "0000:06:00.0", "0000:03:00.0:2", direct, yes, yes, yes, yes, {}, {},
       "and back"},
      {"direct", Host::intel, "0000:03:00.0", "0000:08:00.0:2", none, unknown, unknown, unknown, unknown, {},
       {"root-complex-unknown"},
       "p2pdma.rst: through a host bridge only when listed; not listed is not known"},
      {"direct", Host::amd, "0000:03:00.0", "0000:08:00.0:2", over_root, yes, yes, yes, yes, {}, {},
       "p2pdma.c cpu_supports_p2pdma: AMD from family 17h on"},
      // ---- where it redirects
      {"redirect-everywhere", Host::intel, "0000:03:00.0", "0000:06:00.0:2", none, unknown, unknown, unknown, unknown, {},
       {"acs-redirect-no-root-complex"},
       "PCIe 6.0 6.12.3: RR sends requests up"},
      {"redirect-everywhere", Host::amd, "0000:03:00.0", "0000:06:00.0:2", over_root, yes, yes, yes, yes, {}, {},
       "and down again, through shared ports with Upstream Forwarding"},
      {"redirect-at-the-divergence", Host::intel, "0000:03:00.0", "0000:06:00.0:2", none, unknown, unknown, unknown, unknown,
       {}, {"acs-redirect-no-root-complex"},
       "RR at the port where the paths part"},
      {"redirect-at-the-divergence", Host::intel, "0000:06:00.0", "0000:03:00.0:2", none, unknown, yes, unknown, unknown,
       {}, {"acs-redirect-no-root-complex"},
       "the other way requests are direct; CR sends the completions of reads up"},
      {"redirect-at-the-divergence", Host::intel, "0000:06:00.0", "0000:07:00.0:2", direct, yes, yes, yes, yes, {}, {},
       "B and C part further down, where nothing redirects"},
      {"redirect-at-the-divergence", Host::amd, "0000:03:00.0", "0000:06:00.0:2", over_root, yes, yes, yes, yes, {}, {},
       "up and down again"},
      {"completions-redirected", Host::intel, "0000:03:00.0", "0000:06:00.0:2", none, unknown, yes, unknown, unknown, {},
       {"acs-redirect-no-root-complex"},
       "CR at the completer's side"},
      {"completions-redirected", Host::intel, "0000:06:00.0", "0000:03:00.0:2", direct, yes, yes, yes, yes, {}, {},
       "CR does nothing to requests, and nothing completes there"},
      {"redirect-below", Host::intel, "0000:03:00.0", "0000:06:00.0:2", direct, yes, yes, yes, yes, {}, {},
       "redirect bits below the divergence do nothing: all goes up there anyway"},
      {"redirect-below", Host::intel, "0000:06:00.0", "0000:03:00.0:2", direct, yes, yes, yes, yes, {}, {},
       "in both directions"},
      {"redirect-below", Host::amd, "0000:06:00.0", "0000:07:00.0:2", none, no, no, no, no, {"upstream-forwarding-off"}, {},
       "redirected by its own port, and the port that both share does not forward it up"},
      {"redirect-on-the-endpoint", Host::intel, "0000:03:00.0", "0000:06:00.0:2", direct, yes, yes, yes, yes, {}, {},
       "a function's own RR is about its siblings, not about the way up"},
      {"redirect-on-the-common-port", Host::intel, "0000:03:00.0", "0000:06:00.0:2", direct, yes, yes, yes, yes, {}, {},
       "what is above the divergence sees nothing of it"},
      // ---- egress control
      {"egress-control", Host::intel, "0000:03:00.0", "0000:06:00.0:2", none, no, no, no, no, {"egress-control"}, {},
       "PCIe 6.0 6.12.3: EC without RR blocks what the vector says"},
      {"egress-control", Host::intel, "0000:06:00.0", "0000:03:00.0:2", direct, yes, yes, yes, yes, {}, {},
       "EC is about requests that leave by it"},
      {"egress-control", Host::intel, "0000:07:00.0", "0000:06:00.0:2", direct, yes, yes, yes, yes, {}, {},
       "a bit that is clear lets pass"},
      // ---- translated requests
      {"direct-translated", Host::intel, "0000:03:00.0", "0000:06:00.0:2", none, unknown, unknown, unknown, yes,
       {"ats-enabled"}, {"acs-redirect-no-root-complex", "ats-bus-address"},
       "PCIe 7.0 6.12.3: DT lets translated requests pass RR"},
      {"translation-blocked", Host::intel, "0000:03:00.0", "0000:06:00.0:2", none, no, unknown, unknown, no,
       {"ats-enabled", "translation-blocked"}, {"acs-redirect-no-root-complex"},
       "TB stops them, whatever DT says"},
      // ---- functions of one device
      {"two-functions", Host::intel, "0000:01:00.0", "0000:01:00.1:2", direct, yes, yes, yes, yes, {}, {},
       "PCIe 6.0 6.12.1.2: a function with RR can reach its siblings, and this one does not redirect"},
      {"two-functions", Host::intel, "0000:02:00.0", "0000:02:00.1:2", none, unknown, unknown, unknown, unknown, {},
       {"no-internal-route"},
       "without ACS a device does not say whether it routes between its functions"},
      {"two-functions", Host::amd, "0000:02:00.0", "0000:02:00.1:2", over_root, yes, yes, yes, yes, {}, {},
       "if it does not, it goes up and comes down again"},
      // ---- domains
      {"vmd", Host::intel, "10000:03:00.0", "10000:06:00.0:2", direct, yes, yes, yes, yes, {}, {},
       "a switch is a switch"},
      {"vmd", Host::amd, "10000:03:00.0", "0000:01:00.0:2", none, no, no, no, no, {"different-domain"}, {},
       "a completion carries no domain"},
      {"vmd", Host::intel, "10000:03:00.0", "10000:08:00.0:2", none, unknown, unknown, unknown, unknown, {},
       {"root-complex-unknown"},
       "the root ports of a VMD are in no list"},
      // ---- described
      {"clique", Host::guest, "0000:00:03.0", "0000:00:04.0:2", Route::described, yes, yes, yes, unknown, {}, {},
       "NVIDIA's P2P clique: one id, from 0xc8 and 0xd4 alike"},
      {"clique", Host::guest, "0000:00:03.0", "0000:00:05.0:2", none, unknown, unknown, unknown, unknown, {},
       {"described-unknown"},
       "another clique is no description"},
      // ---- what was not read
      {"truncated", Host::amd, "0000:03:00.0", "0000:06:00.0:2", none, unknown, unknown, unknown, unknown, {},
       {"acs-unknown", "config-unreadable", "ats-enabled", "holds-msix", "ten-bit-tags", "translation-blocked"},
       "64 bytes: unknown, never absent"},
      {"without-extended", Host::intel, "0000:03:00.0", "0000:06:00.0:2", none, unknown, unknown, unknown, unknown, {},
       {"acs-unknown", "ats-enabled", "translation-blocked"},
       "256 bytes: ACS and ATS are behind them"},
      {"sleeping-port", Host::amd, "0000:06:00.0", "0000:07:00.0:2", none, unknown, unknown, unknown, unknown, {},
       {"acs-unknown", "config-unreadable", "bridge-bus-master-off"},
       "a port that says nothing may redirect"},
      // ---- packets
      {"payload-mismatch", Host::intel, "0000:03:00.0", "0000:06:00.0:2", direct, no, yes, yes, yes, {"mps-mismatch"}, {},
       "PCIe 6.0 2.2.2: a packet larger than the receiver's MPS is malformed"},
      {"payload-mismatch", Host::intel, "0000:06:00.0", "0000:03:00.0:2", direct, no, yes, yes, yes, {"mps-mismatch"}, {},
       "completions come from the target"},
      {"payload-mismatch", Host::intel, "0000:06:00.0", "0000:07:00.0:2", direct, yes, yes, yes, yes, {}, {},
       "not on their way"},
      // ---- Intel's chipset ports
      {"chipset", Host::amd, "0000:03:00.0", "0000:04:00.0:2", none, unknown, unknown, unknown, unknown, {},
       {"upstream-forwarding-off"},
       "the word at 6 is no control there; the route rule does not ask the dword at 8, so it is not known: no yes"},
      {"chipset", Host::amd, "0000:07:00.0", "0000:08:00.0:2", none, unknown, unknown, unknown, unknown, {},
       {"upstream-forwarding-off"},
       "and here Upstream Forwarding is off in both"},
  };
  // clang-format on
  return table;
}

Machine read(const std::string& name, Host host) {
  const auto dump = read_dump(std::string(P2PD_TEST_DATA "/generated/") + name + ".lspci");
  EXPECT_TRUE(dump) << (dump ? "" : dump.error().text);
  if (!dump) return {};
  auto facts = dump->host();
  facts.kernel_release = "7.3";
  facts.cpu_vendor = host == Host::amd ? "AuthenticAMD" : "GenuineIntel";
  facts.cpu_family = host == Host::amd ? 0x17 : 6;
  facts.virtualization = host == Host::guest ? "kvm" : "none";
  facts.iommu = Tristate::yes;
  return {facts, dump->functions()};
}

// What a dump never tells, and every pair of one has.
const std::set<std::string> never_told{"vfio-missing", "unsafe-interrupts"};

std::set<std::string> codes(const Verdict& verdict, bool is_certain) {
  std::set<std::string> codes;
  for (const auto& blocker : verdict.blockers)
    if (blocker.is_certain == is_certain && blocker.severity != Severity::limit && never_told.count(blocker.code) == 0)
      codes.insert(blocker.code);
  return codes;
}

class DumpVerdict : public testing::TestWithParam<Case> {};

TEST_P(DumpVerdict, IsWhatTheRuleSays) {
  const auto& expected = GetParam();
  const auto verdict = judge(read(expected.machine, expected.host), shipped_tables(), Address::parse(expected.initiator).value(),
                             TargetName::parse(expected.target).value());
  SCOPED_TRACE(expected.paragraph);
  EXPECT_EQ(to_string(verdict.route), to_string(expected.route));
  EXPECT_EQ(to_string(verdict.possible), to_string(expected.possible));
  EXPECT_EQ(to_string(verdict.directions.writes), to_string(expected.writes)) << "writes";
  EXPECT_EQ(to_string(verdict.directions.reads), to_string(expected.reads)) << "reads";
  EXPECT_EQ(to_string(verdict.directions.translated), to_string(expected.translated)) << "translated";
  EXPECT_EQ(codes(verdict, true), expected.certain);
  EXPECT_EQ(codes(verdict, false), expected.doubtful);
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  std::string name = std::to_string(info.index) + "_" + info.param.machine;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Generated, DumpVerdict, testing::ValuesIn(cases()), name_of);

// As p2pd and p2p-client read it: platform.d knows where such a port has its control.
TEST(DumpVerdict, OfAChipsetPortIsByItsDwords) {
  const auto known = with_known_ports(read("chipset", Host::amd), shipped_tables());
  const auto between = [&](const char* initiator, const char* target) {
    return judge(known, shipped_tables(), Address::parse(initiator).value(), TargetName::parse(target).value());
  };
  EXPECT_EQ(between("0000:03:00.0", "0000:04:00.0:2").possible, yes);
  EXPECT_EQ(between("0000:07:00.0", "0000:08:00.0:2").possible, unknown);

  auto functions = known.functions();
  for (auto& function : functions)
    if (function.port_type == PortType::root_port) function.acs = Acs{};  // the dword was not read
  const auto unread = judge({known.host(), functions}, shipped_tables(), Address::parse("0000:03:00.0").value(),
                            TargetName::parse("0000:04:00.0:2").value());
  EXPECT_EQ(unread.possible, unknown);
}

TEST(DumpVerdict, OfAtomicsIsANote) {
  const auto machine = read("atomics", Host::intel);
  const auto notes = [&](const char* target) {
    std::string all;
    for (const auto& note :
         judge(machine, shipped_tables(), Address::parse("0000:03:00.0").value(), TargetName::parse(target).value()).notes)
      all += note + "\n";
    return all;
  };
  EXPECT_THAT(notes("0000:06:00.0:2"), testing::HasSubstr("atomics"));
  EXPECT_NE(notes("0000:06:00.0:2"), notes("0000:07:00.0:2")) << "one port blocks them on their way out";
}

}  // namespace
}  // namespace p2pd::test
