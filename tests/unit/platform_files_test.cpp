// SPDX-License-Identifier: LGPL-2.1-or-later
#include "platform/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "fake_sysfs.h"
#include "platform/platform_file.h"

namespace p2pd::test {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

namespace fs = std::filesystem;

const std::string about = "what = \"x\"\nsource = \"y\"\n";
const std::string host_bridge = "[[host_bridge]]\nid = \"1234:0001\"\n" + about;
const std::string haswell = "[[host_bridge]]\nid = \"8086:2f00\"\nsame_bridge_only = true\n" + about;
const std::string narrow = "[[initiator]]\nids = [\"1234:*\"]\naddress_bits = 32\n" + about;
const std::string no_reads = "[[root_complex]]\nhost_bridges = [\"1234:0001\"]\nwrites = \"yes\"\nreads = \"no\"\n" + about;

std::string error_of_file(const std::string& text, FileOrigin origin = FileOrigin::shipped) {
  const auto file = parse_platform_file(text, "x.toml", origin);
  return file ? "" : file.error().text;
}

TEST(PlatformFile, ReadsEveryKindOfEntry) {
  const auto file = parse_platform_file(
      "newest_kernel = \"7.3\"\n" + host_bridge + "since = \"6.12\"\nuntil = \"7.1\"\n" +
          "[[cpu]]\nvendor = \"AuthenticAMD\"\nsince_family = 0x17\n" + about +
          "[[isolated_port]]\nids = [\"1234:*\", \"8086:0010-001f\"]\nport_types = [\"root-port\"]\nno_peers = true\n" + about +
          "[[chipset_port]]\nids = [\"8086:a110\"]\nacs_control_offset = 8\n" + about + no_reads + narrow,
      "x.toml", FileOrigin::shipped);
  ASSERT_TRUE(file) << file.error().text;
  const auto& tables = file->tables;
  EXPECT_EQ(tables.newest_kernel, 7003U);
  ASSERT_EQ(tables.host_bridges.size(), 1U);
  EXPECT_EQ(tables.host_bridges[0].id, (IdRange{0x1234, 1, 1}));
  EXPECT_EQ(tables.host_bridges[0].about.since, 6012U);
  EXPECT_EQ(tables.host_bridges[0].about.until, 7001U);
  EXPECT_EQ(tables.host_bridges[0].about.place, "x.toml:2");
  ASSERT_EQ(tables.cpus.size(), 1U);
  EXPECT_EQ(tables.cpus[0].since_family, 0x17U);
  ASSERT_EQ(tables.isolated_ports.size(), 1U);
  EXPECT_THAT(tables.isolated_ports[0].which.ids, ElementsAre(IdRange{0x1234, 0, 0xffff}, IdRange{0x8086, 0x10, 0x1f}));
  EXPECT_TRUE(tables.isolated_ports[0].has_no_peers);
  EXPECT_EQ(tables.chipset_ports.size(), 1U);
  ASSERT_EQ(tables.root_complexes.size(), 1U);
  EXPECT_EQ(tables.root_complexes[0].reads, Tristate::no);
  ASSERT_EQ(tables.initiators.size(), 1U);
  EXPECT_EQ(tables.initiators[0].address_bits, 32U);
}

TEST(PlatformFile, NamesFileLineAndReasonOfAnError) {
  const struct {
    std::string text;
    const char* place;
    const char* reason;
  } broken[] = {
      {"[[host_bridge]\n", "x.toml:1:", ""},
      {"\nnewest = \"7.3\"\n", "x.toml:2:", "unknown key 'newest'"},
      {"newest_kernel = 7.3\n", "x.toml:1:", "must be a text"},
      {"newest_kernel = \"7\"\n", "x.toml:1:", "must be a kernel"},
      {"newest_kernel = \"7.3-rc1\"\n", "x.toml:1:", "must be a kernel"},
      {"host_bridge = 1\n", "x.toml:1:", "[[host_bridge]]"},
      {"host_bridge = [1]\n", "x.toml:1:", "[[host_bridge]]"},
      {"[[host_bridge]]\n" + about, "x.toml:1:", "'id' is missing"},
      {"[[host_bridge]]\nid = \"8086\"\n" + about, "x.toml:2:", "is no id"},
      {"[[host_bridge]]\nid = \"8086:20300\"\n" + about, "x.toml:2:", "is no id"},
      {"[[host_bridge]]\nid = \"8086:2031-2030\"\n" + about, "x.toml:2:", "is no id"},
      {"[[host_bridge]]\nid = \"8086:2030-\"\n" + about, "x.toml:2:", "is no id"},
      {"[[host_bridge]]\nid = \"8086:-001\"\n" + about, "x.toml:2:", "is no id"},
      {"[[host_bridge]]\nid = \"8086:2030\"\nwhat = \"x\"\n", "x.toml:1:", "'source' is missing"},
      {"[[host_bridge]]\nid = \"8086:2030\"\nsource = \"x\"\n", "x.toml:1:", "'what' is missing"},
      {host_bridge + "sinse = \"7.1\"\n", "x.toml:5:", "unknown key 'sinse'"},
      {"[[host_bridge]]\nid = \"8086:2030\"\nsame_bridge_only = 1\n" + about, "x.toml:3:", "true or false"},
      {"[[cpu]]\nvendor = \"AuthenticAMD\"\nsince_family = -1\n" + about, "x.toml:3:", "whole number"},
      {"[[isolated_port]]\nids = []\n" + about, "x.toml:2:", "list of texts"},
      {"[[isolated_port]]\nids = [1]\n" + about, "x.toml:2:", "list of texts"},
      {"[[isolated_port]]\nids = [\"1234:*\"]\nport_types = [\"port\"]\n" + about, "x.toml:3:", "is no port type"},
      {"[[chipset_port]]\nids = [\"1234:*\"]\nacs_control_offset = 7\n" + about, "x.toml:3:", "only 6, the standard's, and 8"},
      {"[[root_complex]]\nhost_bridges = [\"1234:*\"]\nwrites = true\nreads = \"no\"\n" + about, "x.toml:3:", "must be a text"},
      {"[[root_complex]]\nhost_bridges = [\"1234:*\"]\nwrites = \"maybe\"\nreads = \"no\"\n" + about, "x.toml:3:", "\"unknown\""},
      {"[[initiator]]\nids = [\"1234:*\"]\naddress_bits = 65\n" + about, "x.toml:3:", "from 1 to 64"},
      {"unsafe = true\n" + host_bridge, "x.toml:", "operators' files"},
  };
  for (const auto& [text, place, reason] : broken) {
    const auto error = error_of_file(text);
    EXPECT_THAT(error, StartsWith(place)) << text;
    EXPECT_THAT(error, HasSubstr(reason)) << text;
  }
}

TEST(PlatformFile, RefusesKeysThatGoOnAndOn) {
  const auto repeated = [](std::string_view part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += part;
    return text;
  };
  constexpr std::size_t deep = 200'000;  // a table each: toml++ takes them apart one within another
  for (const auto& text :
       {repeated("a.", deep) + "a = 1", "[" + repeated("a.", deep) + "a]", repeated("\"a\".", deep) + "a = 1",
        "x = [\"\"\"\"\"\"\"\", {" + repeated("a.", deep) + "a = 1}]", "x = \"\\\"\"\n" + repeated("a . ", deep) + "a = 1",
        repeated("'a'.", deep) + "a", repeated("a = [{" + repeated("a.", 1000) + "a = [\n{", 1) + repeated("b.", deep) + "b = 1"})
    EXPECT_THAT(error_of_file(text), HasSubstr("dots")) << text.substr(0, 20);
  // Where dots are no keys.
  const auto dots = repeated(".", 2000);
  EXPECT_EQ(error_of_file("[[initiator]]\nids = [\"1234:*\"]\naddress_bits = 32\nwhat = \"" + dots + "\"\nsource = '" + dots +
                          "'  # " + dots + "\n"),
            "");
  EXPECT_EQ(error_of_file("[[initiator]]\nids = [\"1234:*\"]\naddress_bits = 32\nwhat = \"\"\"" + dots + "\n\"" + dots +
                          "\"\"\"\nsource = \"a\\\"" + dots + "\"\n"),
            "");
}

TEST(PlatformFile, OfAnOperatorSaysYesOnlyAsUnsafe) {
  const std::string saying_yes[] = {host_bridge, "[[cpu]]\nvendor = \"GenuineIntel\"\nsince_family = 6\n" + about, no_reads,
                                    "[[chipset_port]]\nids = [\"1234:*\"]\nacs_control_offset = 8\n" + about,
                                    "[[isolated_port]]\nids = [\"1234:*\"]\n" + about};
  for (const auto& text : saying_yes) {
    EXPECT_THAT(error_of_file(text, FileOrigin::from_operator), HasSubstr("unsafe = true")) << text;
    EXPECT_EQ(error_of_file(text + "unsafe = true\n", FileOrigin::from_operator), "") << text;
    const auto whole = parse_platform_file("unsafe = true\n" + text, "x.toml", FileOrigin::from_operator);
    ASSERT_TRUE(whole) << text;
    EXPECT_TRUE(whole->is_unsafe);
  }
  EXPECT_EQ(error_of_file(narrow, FileOrigin::from_operator), "");
  EXPECT_EQ(error_of_file("[[chipset_port]]\nids = [\"1234:*\"]\nacs_control_offset = 6\n" + about, FileOrigin::from_operator),
            "");
}

// ---- directories

class PlatformDirectories : public ::testing::Test {
 protected:
  PlatformDirectories() {
    fs::create_directories(shipped());
    fs::create_directories(own());
  }
  static void write_file(const fs::path& file, const std::string& text) { std::ofstream(file) << text; }
  [[nodiscard]] fs::path shipped() const { return tree_.top() / "shipped"; }
  [[nodiscard]] fs::path own() const { return tree_.top() / "own"; }
  [[nodiscard]] PlatformFiles files() const {
    return PlatformFiles({.shipped = shipped(), .overrides = own(), .operator_peers = peers(), .hypervisor_peers = fw_cfg()});
  }
  [[nodiscard]] fs::path peers() const { return tree_.top() / "peers.toml"; }
  [[nodiscard]] fs::path fw_cfg() const { return tree_.top() / "raw"; }

 private:
  FakeSysfs tree_;  // a directory for a while
};

const std::string two_peers =
    "peers_format = 1\n"
    "[[function]]\naddress = \"0000:01:00.0\"\nid = \"1234:0001\"\nsubsystem = \"0000:0000\"\n"
    "[[function]]\naddress = \"0000:02:00.0\"\nid = \"1234:0002\"\nsubsystem = \"0000:0000\"\n"
    "[[reach]]\nfrom = \"0000:01:00.0\"\nto = \"0000:02:00.0\"\nwrites = \"yes\"\nreads = \"yes\"\n"
    "[[reach]]\nfrom = \"0000:02:00.0\"\nto = \"0000:01:00.0\"\nwrites = \"yes\"\nreads = \"no\"\n";

TEST_F(PlatformDirectories, AreReadInTheOrderOfNames) {
  write_file(shipped() / "b.toml", narrow);
  write_file(shipped() / "notes.txt", "no TOML");
  write_file(own() / "a.toml", "[[initiator]]\nids = [\"1234:*\"]\naddress_bits = 40\n" + about);
  const auto reading = files().read();
  EXPECT_THAT(reading.problems, IsEmpty());
  ASSERT_EQ(reading.tables.initiators.size(), 2U);
  EXPECT_EQ(reading.tables.initiators[0].address_bits, 40U);
  EXPECT_EQ(reading.tables.initiators[1].address_bits, 32U);
}

TEST_F(PlatformDirectories, ThatAreEmptyAreAProblem) {
  EXPECT_THAT(files().read().problems, ElementsAre(HasSubstr("no platform files")));
}

TEST_F(PlatformDirectories, LoseABrokenFileAndNothingElse) {
  write_file(shipped() / "a.toml", host_bridge);
  write_file(shipped() / "b.toml", "\nno = TOML");
  write_file(shipped() / "c.toml", narrow);
  const auto reading = files().read();
  EXPECT_THAT(reading.problems, ElementsAre(StartsWith((shipped() / "b.toml").string() + ":2:")));
  EXPECT_EQ(reading.tables.host_bridges.size(), 1U);
  EXPECT_EQ(reading.tables.initiators.size(), 1U);
}

TEST_F(PlatformDirectories, KeepTheLastGoodVersionOfAFile) {
  auto files = this->files();
  write_file(shipped() / "a.toml", host_bridge);
  write_file(peers(), two_peers);
  EXPECT_THAT(files.read().problems, IsEmpty());
  write_file(shipped() / "a.toml", host_bridge + "broken = 1\n");
  write_file(peers(), two_peers + "broken = 1\n");
  const auto reading = files.read();
  EXPECT_THAT(reading.problems, ElementsAre(HasSubstr("what it said before counts"), HasSubstr("what it said before counts")));
  EXPECT_EQ(reading.tables.host_bridges.size(), 1U);
  EXPECT_EQ(reading.tables.peers.size(), 1U);
  // Who takes a file away means it.
  fs::remove(peers());
  write_file(shipped() / "a.toml", haswell);
  EXPECT_THAT(files.read().problems, IsEmpty());
  EXPECT_THAT(files.read().tables.peers, IsEmpty());
  EXPECT_TRUE(files.read().tables.host_bridges[0].same_bridge_only);
}

TEST_F(PlatformDirectories, MaskAYesButNotANo) {
  write_file(shipped() / "a.toml", host_bridge + haswell + narrow + no_reads);
  EXPECT_EQ(files().read().tables.host_bridges.size(), 2U);
  fs::create_symlink("/dev/null", own() / "a.toml");
  const auto masked = files().read();
  EXPECT_THAT(masked.problems, IsEmpty());
  ASSERT_EQ(masked.tables.host_bridges.size(), 1U);
  EXPECT_TRUE(masked.tables.host_bridges[0].same_bridge_only);
  EXPECT_FALSE(masked.tables.host_bridges[0].is_vouched_for);
  EXPECT_EQ(masked.tables.initiators.size(), 1U);
  ASSERT_EQ(masked.tables.root_complexes.size(), 1U);
  EXPECT_EQ(masked.tables.root_complexes[0].writes, Tristate::unknown);
  EXPECT_EQ(masked.tables.root_complexes[0].reads, Tristate::no);
}

TEST_F(PlatformDirectories, AreMaskedWholeByAnUnsafeFile) {
  write_file(shipped() / "a.toml", host_bridge + haswell + narrow + no_reads);
  write_file(own() / "a.toml", "unsafe = true\n");
  const auto masked = files().read();
  EXPECT_THAT(masked.problems, IsEmpty());
  PlatformTables nothing_but_who_did_it;
  nothing_but_who_did_it.unsafe_masks = {(own() / "a.toml").string()};
  EXPECT_EQ(masked.tables, nothing_but_who_did_it);
}

TEST_F(PlatformDirectories, AreNotMaskedByABrokenFile) {
  write_file(shipped() / "a.toml", host_bridge);
  write_file(own() / "a.toml", "broken");
  const auto reading = files().read();
  EXPECT_EQ(reading.problems.size(), 1U);
  EXPECT_EQ(reading.tables.host_bridges.size(), 1U);
}

TEST_F(PlatformDirectories, RefuseWhatIsTooLarge) {
  write_file(shipped() / "a.toml", "#" + std::string(1 << 20, 'x'));
  write_file(shipped() / "b.toml", "#" + std::string((1 << 20) - 1, 'x'));
  EXPECT_THAT(files().read().problems, ElementsAre(HasSubstr("a.toml: larger than")));
}

TEST_F(PlatformDirectories, DoNotWaitForAPipe) {
  ASSERT_EQ(::mkfifo((own() / "a.toml").c_str(), 0600), 0);
  write_file(shipped() / "b.toml", narrow);
  EXPECT_EQ(files().read().tables.initiators.size(), 1U);
}

TEST_F(PlatformDirectories, AskTheHypervisorOnce) {
  write_file(shipped() / "a.toml", narrow);
  write_file(fw_cfg(), two_peers);
  auto files = this->files();
  ASSERT_EQ(files.read().tables.peers.size(), 1U);
  EXPECT_EQ(files.read().tables.peers[0].source, fw_cfg().string());
  write_file(fw_cfg(), "broken");
  EXPECT_EQ(files.read().tables.peers.size(), 1U);
  EXPECT_THAT(files.read().problems, IsEmpty());
}

TEST_F(PlatformDirectories, ReportABrokenTableOfTheHypervisorEachTime) {
  write_file(shipped() / "a.toml", narrow);
  write_file(fw_cfg(), two_peers.substr(0, two_peers.size() - 20));
  auto files = this->files();
  for (int i = 0; i < 2; ++i) {
    const auto reading = files.read();
    EXPECT_EQ(reading.problems.size(), 1U);
    EXPECT_THAT(reading.tables.peers, IsEmpty());
  }
}

}  // namespace

}  // namespace p2pd::test
