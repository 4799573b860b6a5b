// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2p-client on a dump: what the user says about the machine, and what stays unknown.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>

#include "cli/dump_options.h"
#include "cli/exit_code.h"
#include "client_fixtures.h"
#include "model/unique_fd.h"
#include "sources/source.h"
#include "test_paths.h"

namespace p2pclient::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string dump = P2PD_TEST_DATA "/dumps/switches.lspci";
const std::vector<std::string> everything{"--cpu", "amd/0x17", "--kernel", "7.3", "--virt", "none", "--iommu", "on"};

// Two functions below different root ports.
Ran check(const std::vector<std::string>& facts, const std::string& command = "check") {
  std::vector<std::string> arguments{"--dump", dump, "--platform", platform, "--json", command, "0000:06:00.0", "0000:0d:00.0:0"};
  arguments.insert(arguments.end(), facts.begin(), facts.end());
  return p2p_client(arguments);
}

std::set<std::string> codes(const Ran& ran, bool certain) {
  std::set<std::string> found;
  const auto verdict = json::parse(ran.out);
  for (const auto& blocker : verdict.at("blockers"))
    if (blocker.at("certain") == certain) found.insert(blocker.at("code").get<std::string>());
  return found;
}

TEST(ClientDumpFacts, AreUnknownUntilTheyAreGivenAndNamedInOneLine) {
  const auto nothing = check({});
  EXPECT_EQ(nothing.status, cli::exit_unknown);
  EXPECT_EQ(nothing.err,
            "p2p-client: note: no dump tells, and nobody said, so it is unknown: the CPU (--cpu), the kernel (--kernel), "
            "whether it is a virtual machine (--virt), the IOMMU (--iommu)\n");
  EXPECT_THAT(codes(nothing, false), testing::IsSupersetOf({"virtual-topology", "iommu-unknown"}));

  const auto all = check(everything);
  EXPECT_THAT(all.err, IsEmpty());
  EXPECT_THAT(codes(all, false), Not(testing::Contains("virtual-topology")));
  EXPECT_THAT(codes(all, false), Not(testing::Contains("iommu-unknown")));
  EXPECT_EQ(json::parse(all.out).at("route"), "root-complex");
}

TEST(ClientDumpFacts, ChangeTheVerdictEachInItsWay) {
  EXPECT_THAT(codes(check({"--iommu", "off"}), true), testing::Contains("iommu-off"));
  EXPECT_THAT(codes(check({"--virt", "kvm"}), false), testing::Contains("virtual-topology"));
  const auto kernel = [&](const std::string& release) {
    return json::parse(check({"--kernel", release}).out).at("notes").dump();
  };
  EXPECT_THAT(kernel("99.1"), HasSubstr("rule-newer-kernel"));
  EXPECT_THAT(kernel("7.3"), Not(HasSubstr("rule-newer-kernel")));
  EXPECT_THAT(codes(check({"--cpu", "GenuineIntel/6", "--virt", "none"}), false), testing::Contains("root-complex-unknown"));
}

// A dump made without -v tells neither drivers nor groups: that is no finding, whatever kernel it is about.
TEST(ClientDumpFacts, MakeNothingCertainThatNoDumpTells) {
  const auto ran = p2p_client({"--dump", P2PD_TEST_DATA "/dumps/switches.lspci", "--json", "check", "0000:06:00.0",
                               "0000:0d:00.0:0", "--kernel", "7.3", "--iommu", "on", "--virt", "none", "--cpu", "amd/0x17"});
  EXPECT_THAT(codes(ran, true),
              testing::AllOf(Not(testing::Contains("initiator-not-on-vfio-pci")), Not(testing::Contains("no-iommu-group"))));
  EXPECT_THAT(codes(ran, false), testing::Contains("initiator-not-on-vfio-pci"));
  EXPECT_THAT(json::parse(ran.out).at("notes").dump(), HasSubstr("RMRR")) << "and what is told nowhere is said";
  EXPECT_EQ(ran.status, cli::exit_unknown);
}

struct Cpu {
  std::string text;
  std::string vendor;
  unsigned family = 0;
};
class ClientCpu : public testing::TestWithParam<Cpu> {};

TEST_P(ClientCpu, IsVendorAndFamily) {
  const auto cpu = cli::parse_cpu(GetParam().text);
  EXPECT_EQ(cpu.has_value(), !GetParam().vendor.empty());
  if (!cpu) return;
  EXPECT_EQ(cpu->vendor, GetParam().vendor);
  EXPECT_EQ(cpu->family, GetParam().family);
}

INSTANTIATE_TEST_SUITE_P(All, ClientCpu,
                         testing::Values(Cpu{"amd/0x17", "AuthenticAMD", 0x17}, Cpu{"AuthenticAMD/23", "AuthenticAMD", 23},
                                         Cpu{"intel/6", "GenuineIntel", 6}, Cpu{"hygon/24", "HygonGenuine", 24},
                                         Cpu{"other/0", "other", 0}, Cpu{"CentaurHauls/7", "CentaurHauls", 7},
                                         Cpu{"amd/270", "AuthenticAMD", 270}, Cpu{"amd/271", ""}, Cpu{"amd", ""}, Cpu{"amd/", ""},
                                         Cpu{"amd/0x", ""}, Cpu{"amd/1x", ""}, Cpu{"amd/-1", ""}, Cpu{"AMD/23", ""},
                                         Cpu{"/23", ""}, Cpu{"", ""}));

struct BadFact {
  std::vector<std::string> arguments;
  std::string reason;
};
class ClientBadFact : public testing::TestWithParam<BadFact> {};

TEST_P(ClientBadFact, IsWrongUsageWithAReason) {
  const auto ran = check(GetParam().arguments);
  EXPECT_EQ(ran.status, cli::exit_usage);
  EXPECT_THAT(ran.out, IsEmpty());
  EXPECT_THAT(ran.err, HasSubstr(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    All, ClientBadFact,
    testing::Values(BadFact{{"--cpu", "amd"}, "VENDOR/FAMILY"}, BadFact{{"--kernel", "seven"}, "is no kernel release"},
                    BadFact{{"--kernel", ""}, "is no kernel release"}, BadFact{{"--virt", "unknown"}, "leave --virt out"},
                    BadFact{{"--virt", "No Ne"}, "systemd-detect-virt"}, BadFact{{"--iommu", "yes"}, "neither on nor off"}));

TEST(ClientDumpFacts, AreForADump) {
  const auto ran = p2p_client({"--bus", no_bus, "--cpu", "amd/0x17", "list"});
  EXPECT_EQ(ran.status, cli::exit_usage);
  EXPECT_THAT(ran.err, HasSubstr("--cpu is for --dump"));
}

// Standard input for as long as it lives.
class StandardInput {
 public:
  explicit StandardInput(int fd) : saved_(::dup(STDIN_FILENO)) { ::dup2(fd, STDIN_FILENO); }
  ~StandardInput() { ::dup2(saved_.get(), STDIN_FILENO); }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

 private:
  p2pd::UniqueFd saved_;
};

TEST(ClientDump, ComesFromStandardInputToo) {
  const p2pd::UniqueFd file(::open(dump.c_str(), O_RDONLY | O_CLOEXEC));
  const StandardInput input(file.get());
  const auto ran = p2p_client({"--dump", "-", "--json", "list"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out, p2p_client({"--dump", dump, "--json", "list"}).out);
}

TEST(ClientDump, MayBeAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const p2pd::UniqueFd read_end(ends[0]);
  {
    const p2pd::UniqueFd write_end(ends[1]);
    const std::string text = "00:01.0 0604: 8086:0001\n00: 86 80 01 00 07 00 00 00 00 00 04 06 00 00 01 00\n";
    ASSERT_EQ(::write(write_end.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  const auto machine = p2pd::read_dump("/proc/self/fd/" + std::to_string(read_end.get()));
  ASSERT_TRUE(machine) << machine.error().text;
  EXPECT_EQ(machine->functions().size(), 1U);
  EXPECT_FALSE(machine->host().is_live);
}

TEST(ClientDump, IsNotReadWithoutEnd) {
  ASSERT_TRUE(p2pd::read_dump(dump));
  const auto cut = p2pd::read_dump(dump, 1000);
  ASSERT_FALSE(cut);
  EXPECT_THAT(cut.error().text, HasSubstr("more than 1000 bytes"));
  EXPECT_FALSE(p2pd::read_dump("/dev/zero", 1 << 20));
}

}  // namespace
}  // namespace p2pclient::test
