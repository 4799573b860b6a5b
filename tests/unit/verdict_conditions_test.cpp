// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A pair that works, and everything that can be wrong with it, one at a time: each code of verdict/codes.h is here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "verdict/codes.h"
#include "verdict_pair.h"

namespace p2pd::test {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Conditions, AreAllMetByAPairThatWorks) {
  const auto verdict = Pair{}.judged();
  EXPECT_THAT(verdict.blockers, IsEmpty());
  EXPECT_THAT(verdict.notes, IsEmpty());
  EXPECT_EQ(verdict.possible, Answer::yes);
  EXPECT_EQ(verdict.answer, Answer::yes);
  EXPECT_EQ(verdict.route, Route::switched);
}

struct Case {
  Code code;
  const char* what;  // the code, or the code and how
  Pair pair;
  Answer possible;
  Answer answer;
  const char* where;   // part of it
  const char* remedy;  // the whole
};

// For documentation's sake every case gives exactly one blocker, but for those that say "with others".
class Condition : public ::testing::TestWithParam<Case> {};

constexpr auto no = Answer::no;
constexpr auto yes = Answer::yes;
constexpr auto unknown = Answer::unknown;

Change msix_at(std::uint64_t table, std::uint64_t pba) {
  return [=](Function& function) { function.msix = MsixLocation{2, Bytes{table}, Bytes{64}, 2, Bytes{pba}, Bytes{8}}; };
}

std::vector<Case> cases() {
  return {
      {Code::function_not_found, "initiator", {.initiator_name = "0000:77:00.0"}, no, no, "0000:77:00.0", "p2p-client list"},
      {Code::function_not_found, "target", {.target_name = "0000:77:00.0:0"}, no, no, "0000:77:00.0", "p2p-client list"},
      {Code::same_function, "", {.initiator_name = "0000:04:00.0"}, no, no, "0000:04:00.0", ""},
      {Code::is_bridge, "initiator", {.initiator_name = "0000:02:00.0"}, no, no, "0000:02:00.0", ""},
      {Code::bar_missing, "", {.target_name = "0000:04:00.0:5"}, no, no, "0000:04:00.0:5", "p2p-client show 0000:04:00.0"},
      {Code::not_memory_bar,
       "",
       {.target = change_bar(2, [](Bar& bar) { bar.is_memory = false; })},
       no,
       no,
       "0000:04:00.0:2",
       "p2p-client show 0000:04:00.0"},
      {Code::bar_unassigned,
       "",
       {.target = change_bar(2, [](Bar& bar) { bar.is_assigned = false; })},
       no,
       no,
       "0000:04:00.0:2",
       "pci=realloc"},
      {Code::range_misaligned, "offset", {.target_name = "0000:04:00.0:2:0x800+0x1000"}, no, no, "0000:04:00.0:2", ""},
      {Code::range_misaligned, "length", {.target_name = "0000:04:00.0:2:0x1000+0x1001"}, no, no, "0000:04:00.0:2", ""},
      {Code::range_misaligned, "BarSmallerThanAPage", {.target_name = "0000:04:00.0:1"}, no, no, "0000:04:00.0:1", ""},
      {Code::range_outside_bar, "end", {.target_name = "0000:04:00.0:2:0xff000+0x2000"}, no, no, "0000:04:00.0:2", ""},
      {Code::range_outside_bar, "begin", {.target_name = "0000:04:00.0:2:0x100000+0x1000"}, no, no, "0000:04:00.0:2", ""},
      {Code::range_outside_bar,
       "SizeNotKnown",
       {.target = change_bar(2,
                             [](Bar& bar) {
                               bar.size = Bytes{};
                               bar.bus_address = BusAddress{0xc010'0000};
                             })},
       unknown,
       unknown,
       "0000:04:00.0:2",
       "sudo lspci -vxxxx"},
      {Code::holds_msix,
       "table",
       {.target = msix_at(0xff000, 0xff800)},
       yes,
       no,
       "0000:04:00.0:2",
       "p2p-client enable 0000:04:00.0:2:0x0+0xff000"},
      {Code::holds_msix,
       "PendingBitsOnThePageOfTheRange",
       {.target = msix_at(0x0, 0x2800), .target_name = "0000:04:00.0:2:0x2000+0x1000"},
       yes,
       no,
       "0000:04:00.0:2",
       "p2p-client enable 0000:04:00.0:2:0x3000+0xfd000"},
      {Code::virtual_topology,
       "guest",
       {.host = virtualization("kvm")},
       unknown,
       unknown,
       "this machine",
       "[platform] virtualization = \"none\" in /etc/p2pd/p2pd.toml"},
      {Code::virtual_topology, "NotKnown", {.host = virtualization("unknown")}, unknown, unknown, "this machine", ""},
      {Code::acs_redirect_no_root_complex,
       "",
       {.host = intel, .switch_port = acs_redirect},
       unknown,
       unknown,
       "0000:02:00.0",
       "pci=config_acs=0010001@0000:02:01.0;0010001@0000:02:00.0"},
      {Code::egress_control,
       "VectorNotRead",
       {.switch_port = acs(Acs::egress_control | Acs::upstream_forwarding)},
       unknown,
       unknown,
       "0000:02:00.0",
       "pci=config_acs=0010000@0000:02:00.0"},
      {Code::mps_mismatch,
       "",
       {.target = [](Function& function) { function.max_payload = 256; }},
       no,
       no,
       "0000:03:00.0",
       "pci=pcie_bus_peer2peer"},
      {Code::mps_mismatch,
       "NotRead",
       {.initiator = [](Function& function) { function.max_payload.reset(); }},
       unknown,
       unknown,
       "0000:03:00.0",
       "sudo lspci -xxxx"},
      {Code::bridge_bus_master_off,
       "",
       {.switch_port = [](Function& function) { function.bus_master = false, acs_clear(function); }},
       yes,
       no,
       "0000:02:00.0",
       "setpci -s 0000:02:00.0 COMMAND=0004:0004"},
      {Code::bridge_decode_off,
       "",
       {.switch_port = [](Function& function) { function.memory_decode = false, acs_clear(function); }},
       yes,
       no,
       "0000:02:01.0",
       "setpci -s 0000:02:01.0 COMMAND=0002:0002"},
      {Code::bridge_decode_off,
       "NotRead",
       {.switch_port = [](Function& function) { function.memory_decode.reset(), acs_clear(function); }},
       yes,
       unknown,
       "0000:02:01.0",
       "setpci -s 0000:02:01.0 COMMAND=0002:0002"},
      {Code::link_down_trained,
       "",
       {.initiator = [](Function& function) { function.link = {8000, 8, 16000, 16}; },
        .switch_port = [](Function& function) { function.link = {0, 0, 16000, 16}, acs_clear(function); }},
       yes,
       yes,
       "0000:02:00.0",
       "setpci -s 0000:02:00.0 CAP_EXP+10.w=0020:0020"},
      {Code::bus_address_unknown, "", {}, unknown, unknown, "0000:04:00.0:2", "sudo lspci -xxxx"},
      {Code::reserved_region,
       "",
       {.initiator = [](Function& function) { function.reserved_regions = {{{Iova{0xc000'0000}, Bytes{1_GiB}}, "msi"}}; }},
       no,
       no,
       "0000:04:00.0:2",
       ""},
      {Code::iova_window_collision, "", {.switch_port = acs_redirect, .address_bits = 16}, no, no, "0000:03:00.0", ""},
      {Code::bar_not_routed, "", {}, no, no, "0000:02:01.0, 0000:04:00.0:2", "pci=realloc"},
      {Code::no_iommu,
       "NotRead",
       {.initiator = [](Function& function) { function.is_without_iommu.reset(); }},
       unknown,
       unknown,
       "0000:03:00.0",
       ""},
      {Code::pf_with_vfs,
       "VfsNotInThePicture",
       {.initiator = [](Function& function) { function.has_vfs_enabled = true; }},
       yes,
       no,
       "0000:03:00.0",
       "echo 0 > /sys/bus/pci/devices/0000:03:00.0/sriov_numvfs"},
      {Code::unsafe_interrupts,
       "",
       {.host = [](HostFacts& host) { host.unsafe_interrupts = Tristate::yes; }},
       yes,
       no,
       "allow_unsafe_interrupts",
       "echo N | tee /sys/module/{vfio_iommu_type1,iommufd}/parameters/allow_unsafe_interrupts"},
      {Code::unsafe_interrupts,
       "NotKnown",
       {.host = [](HostFacts& host) { host.unsafe_interrupts = Tristate::unknown; }},
       yes,
       unknown,
       "allow_unsafe_interrupts",
       "echo N | tee /sys/module/{vfio_iommu_type1,iommufd}/parameters/allow_unsafe_interrupts"},
      {Code::no_iommu,
       "",
       {.initiator = [](Function& function) { function.is_without_iommu = true; }},
       no,
       no,
       "0000:03:00.0",
       ""},
      {Code::same_iommu_group, "", {.initiator = in_group(7), .target = in_group(7)}, no, no, "0000:04:00.0", ""},
      {Code::holds_msix,
       "NotRead",
       {.target = [](Function& function) { function.has_unread_capabilities = true; }},
       yes,
       unknown,
       "0000:04:00.0:2",
       "sudo lspci -xxxx"},
      {Code::acs_unknown, "", {.switch_port = acs_unknown}, unknown, unknown, "0000:02:00.0", "sudo lspci -xxxx"},
      {Code::beyond_dma_mask, "", {.address_bits = 31}, no, no, "0000:03:00.0", ""},
      {Code::beyond_iommu_aperture, "", {.host = translates(31, 31)}, no, no, "0000:04:00.0:2", ""},
      {Code::beyond_iommu_aperture, "OfAUnit", {.host = translates(31, 39)}, unknown, unknown, "0000:04:00.0:2", ""},
      {Code::memory_encryption,
       "",
       {.host = encrypted(Tristate::yes), .switch_port = acs_redirect},
       unknown,
       unknown,
       "0000:04:00.0:2",
       "mem_encrypt=off"},
      {Code::memory_encryption,
       "NotKnown",
       {.host = encrypted(Tristate::unknown), .switch_port = acs_redirect},
       unknown,
       unknown,
       "0000:04:00.0:2",
       "mem_encrypt=off"},
      {Code::iommu_off,
       "Intel",
       {.host =
            [](HostFacts& host) {
              intel(host);
              host.iommu = Tristate::no;
            }},
       no,
       no,
       "/sys/class/iommu",
       "intel_iommu=on"},
      {Code::iommu_off,
       "Amd",
       {.host = [](HostFacts& host) { host.iommu = Tristate::no; }},
       no,
       no,
       "/sys/class/iommu",
       "firmware setup: IOMMU (AMD-Vi) on; boot without amd_iommu=off and iommu=off"},
      {Code::iommu_unknown,
       "",
       {.host = [](HostFacts& host) { host.iommu = Tristate::unknown; }},
       unknown,
       unknown,
       "/sys/class/iommu",
       ""},
      {Code::vfio_missing,
       "",
       {.host = [](HostFacts& host) { host.vfio = Tristate::no; }},
       yes,
       no,
       "/dev/vfio/vfio",
       "modprobe vfio-pci"},
      {Code::vfio_missing,
       "NotKnown",
       {.host = [](HostFacts& host) { host.vfio = Tristate::unknown; }},
       yes,
       unknown,
       "/dev/vfio/vfio",
       "modprobe vfio-pci"},
      {Code::config_unreadable,
       "initiator",
       {.initiator = [](Function& function) { function.memory_decode.reset(); }},
       unknown,
       unknown,
       "0000:03:00.0",
       "sudo lspci -xxxx"},
      {Code::no_iommu_group, "", {.host = [](HostFacts&) {}, .target_name = "0000:04:00.0:2"}, no, no, "0000:04:00.0", ""},
      {Code::group_not_viable, "", {.initiator = in_group(7)}, yes, no, "IOMMU group 7", "p2p-client bind 0000:09:00.0"},
      {Code::initiator_not_on_vfio_pci,
       "",
       {.initiator = driver("nvme")},
       yes,
       no,
       "0000:03:00.0",
       "p2p-client bind 0000:03:00.0"},
      {Code::initiator_not_on_vfio_pci,
       "NoDriver",
       {.initiator = driver("")},
       yes,
       no,
       "0000:03:00.0",
       "p2p-client bind 0000:03:00.0"},
      {Code::target_not_on_vfio_pci, "", {.target = driver("nvme")}, yes, no, "0000:04:00.0", "p2p-client bind 0000:04:00.0"},
      {Code::memory_decode_off,
       "",
       {.target = [](Function& function) { function.memory_decode = false; }},
       yes,
       no,
       "0000:04:00.0",
       "setpci -s 0000:04:00.0 COMMAND=0002:0002"},
      {Code::bus_master_off,
       "",
       {.initiator = [](Function& function) { function.bus_master = false; }},
       yes,
       yes,
       "0000:03:00.0",
       "setpci -s 0000:03:00.0 COMMAND=0004:0004"},
      {Code::ats_enabled,
       "",
       {.initiator = [](Function& function) { function.ats_enabled = true; }, .switch_port = acs_redirect},
       yes,
       no,
       "0000:03:00.0",
       "pci=noats"},
      {Code::reserved_region_direct,
       "",
       {.initiator = [](Function& function) { function.reserved_regions = {{{Iova{0x7000'0000}, Bytes{0x1000}}, "direct"}}; }},
       no,
       no,
       "0000:03:00.0",
       ""},
      {Code::pf_with_vfs,
       "",
       {.initiator = [](Function& function) { function.virtual_functions = {at("0000:03:00.1")}; }},
       yes,
       no,
       "0000:03:00.0",
       "echo 0 > /sys/bus/pci/devices/0000:03:00.0/sriov_numvfs"},
  };
}

// Cases that need more than one change to the picture.
Machine adapted(const Case& test) {
  auto functions = test.pair.machine().functions();
  for (auto& function : functions) {
    if (test.code == Code::no_iommu_group && function.address == at("0000:04:00.0")) function.iommu_group.reset();
    if (test.code == Code::bus_address_unknown && function.address == at("0000:04:00.0"))
      for (auto& bar : function.bars) bar.bus_address.reset();
    if (test.code == Code::bar_not_routed && function.address == at("0000:04:00.0"))
      change_bar(2, [](Bar& bar) { bar.bus_address = BusAddress{0x8000'0000}; })(function);
    if (test.code == Code::group_not_viable && function.address == at("0000:09:00.0")) function.iommu_group = 7;
  }
  return {test.pair.machine().host(), functions};
}

Verdict judged(const Case& test) {
  return judge(adapted(test), shipped_tables(), at(test.pair.initiator_name), target(test.pair.target_name),
               {.address_bits = test.pair.address_bits});
}

TEST_P(Condition, IsFoundAndNamedWithItsRemedy) {
  const auto& test = GetParam();
  const auto verdict = judged(test);
  ASSERT_EQ(verdict.blockers.size(), 1U);
  const auto& blocker = verdict.blockers.front();
  EXPECT_EQ(blocker.code, facts_of(test.code).name);
  EXPECT_EQ(blocker.severity, facts_of(test.code).severity);
  EXPECT_THAT(blocker.where, HasSubstr(test.where));
  EXPECT_EQ(blocker.remedy, test.remedy);
  EXPECT_FALSE(blocker.observed.empty());
  EXPECT_FALSE(blocker.needed.empty());
  EXPECT_EQ(verdict.possible, test.possible);
  EXPECT_EQ(verdict.answer, test.answer);
}

std::string test_name(const ::testing::TestParamInfo<Case>& test) {
  auto name = std::string(facts_of(test.param.code).name) + "_" + test.param.what;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Verdict, Condition, ::testing::ValuesIn(cases()), test_name);

// What has no case in the table because it comes with others, or needs another machine; each has a test of its own below
// or in verdict_kernel_rule_test.cpp and verdict_route_test.cpp.
TEST(Conditions, AreAllTried) {
  std::set<std::string_view> tried{
      "different-domain", "root-complex-unknown", "different-host-bridge", "asleep", "pf-on-vfio-pci",
      // verdict_tags_test.cpp
      "ten-bit-tags",
      // verdict_route_test.cpp
      "reads-not-forwarded", "no-internal-route", "upstream-forwarding-off", "translation-blocked", "ats-bus-address",
      // verdict_described_test.cpp
      "described-no", "described-unknown", "root-complex-refuses"};
  for (const auto& test : cases()) tried.insert(facts_of(test.code).name);
  std::set<std::string_view> all;
  for (const auto& facts : all_codes()) all.insert(facts.name);
  EXPECT_EQ(tried, all);
}

TEST(Conditions, AreAllReportedAtOnce) {
  const Pair pair{.host =
                      [](HostFacts& host) {
                        intel(host);
                        host.iommu = Tristate::no;
                        host.vfio = Tristate::no;
                      },
                  .initiator = driver("nvme"),
                  .target = driver(""),
                  .switch_port = acs_redirect,
                  .target_name = "0000:04:00.0:5"};
  EXPECT_THAT(codes(pair.judged()), ElementsAre("acs-redirect-no-root-complex", "bar-missing", "iommu-off", "vfio-missing",
                                                "initiator-not-on-vfio-pci", "target-not-on-vfio-pci"));
}

TEST(Conditions, ARangeMayEndWithTheBarButNotAByteLater) {
  EXPECT_THAT(codes(Pair{.target_name = "0000:04:00.0:2:0x0+0x100000"}.judged()), IsEmpty());
  EXPECT_THAT(codes(Pair{.target_name = "0000:04:00.0:2:0x0+0x100001"}.judged()),
              ElementsAre("range-outside-bar", "range-misaligned"));
}

TEST(Conditions, DifferentDomainsAreANo) {
  const Machine machine = a_machine().with(a_root_port("0000:00:02.0").with(an_endpoint("0000:03:00.0")),
                                           a_root_port("10000:00:02.0").with(an_endpoint("10000:04:00.0").with(bar(2, 1_MiB))));
  const auto verdict = judge(machine, shipped_tables(), at("0000:03:00.0"), target("10000:04:00.0:2"));
  EXPECT_THAT(codes(verdict), ElementsAre("different-domain"));
  EXPECT_EQ(verdict.possible, no);
}

TEST(Conditions, ARootComplexInNoListIsUnknownAndOneThatForwardsElsewhereOnlyIsANo) {
  const auto across = [](std::uint16_t host_bridge) {
    const Machine machine = a_machine().on(intel).with(
        a_host_bridge("0000:00:00.0", 0x8086, host_bridge), a_host_bridge("0000:80:00.0", 0x8086, host_bridge),
        a_root_port("0000:00:02.0").with(an_endpoint("0000:03:00.0")),
        a_root_port("0000:80:02.0").with(an_endpoint("0000:84:00.0").with(bar(2, 1_MiB))));
    return judge(machine, shipped_tables(), at("0000:03:00.0"), target("0000:84:00.0:2"));
  };
  EXPECT_THAT(codes(across(0x2020)), IsEmpty());
  EXPECT_THAT(codes(across(0x29c0)), ElementsAre("root-complex-unknown"));
  EXPECT_EQ(across(0x29c0).possible, unknown);
  EXPECT_THAT(codes(across(0x3c00)), ElementsAre("different-host-bridge"));
  EXPECT_EQ(across(0x3c00).possible, no);
}

}  // namespace

}  // namespace p2pd::test
