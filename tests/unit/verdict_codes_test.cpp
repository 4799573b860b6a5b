// SPDX-License-Identifier: LGPL-2.1-or-later
//
// docs/verdict.md and the code say the same: every code, and its severity.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "test_paths.h"
#include "verdict/codes.h"

namespace p2pd::test {

namespace {

const std::filesystem::path root = std::filesystem::path(P2PD_TEST_DATA) / "../..";

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  EXPECT_TRUE(stream) << file;
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::set<std::string> found_in(const std::string& text, const std::regex& pattern) {
  std::set<std::string> found;
  for (auto match = std::sregex_iterator(text.begin(), text.end(), pattern); match != std::sregex_iterator(); ++match)
    for (std::size_t group = 1; group < match->size(); ++group)
      if ((*match)[group].matched) found.insert((*match)[group]);
  return found;
}

// Rows of the tables below "## Codes": code → severity.
std::map<std::string, std::string> documented() {
  const auto text = text_of(root / "docs/verdict.md");
  const auto codes = text.substr(text.find("\n## Codes"));
  std::map<std::string, std::string> rows;
  const std::regex row("\\n\\| `([a-z0-9-]+)` \\| ([a-z]+)");
  for (auto match = std::sregex_iterator(codes.begin(), codes.end(), row); match != std::sregex_iterator(); ++match)
    rows.emplace((*match)[1], (*match)[2]);
  return rows;
}

// Codes that other rooms name themselves: `.code = "…"` and `[…]` at the end of a refusal.
std::set<std::string> named_by_other_rooms() {
  std::set<std::string> codes;
  const std::regex pattern("\\.code = \"([a-z-]+)\"|\\[([a-z]+(?:-[a-z]+)+)\\]\"");
  for (const auto* room : {"arbiter", "bus", "effects", "mapping"}) {
    for (const auto& file : std::filesystem::recursive_directory_iterator(root / "daemon" / room)) {
      if (file.path().extension() == ".cpp") codes.merge(found_in(text_of(file.path()), pattern));
    }
  }
  return codes;
}

TEST(Codes, AreEachExplainedWithTheirSeverity) {
  const auto rows = documented();
  for (const auto& facts : all_codes()) {
    const auto row = rows.find(std::string(facts.name));
    ASSERT_NE(row, rows.end()) << facts.name << " is not in docs/verdict.md";
    EXPECT_EQ(row->second, to_string(facts.severity)) << facts.name;
  }
}

TEST(Codes, OfOtherRoomsAreExplainedToo) {
  const auto rows = documented();
  const auto named = named_by_other_rooms();
  EXPECT_TRUE(named.contains("target-not-enabled")) << "the pattern no longer finds what the arbiter names";
  for (const auto& code : named) EXPECT_TRUE(rows.contains(code)) << code << " is not in docs/verdict.md";
}

TEST(Codes, ThatAreExplainedExist) {
  auto known = named_by_other_rooms();
  for (const auto& facts : all_codes()) known.insert(std::string(facts.name));
  for (const auto& [code, severity] : documented()) EXPECT_TRUE(known.contains(code)) << code;
}

TEST(Codes, AreKebabCaseAndUnique) {
  std::set<std::string_view> names;
  for (const auto& facts : all_codes()) {
    EXPECT_TRUE(std::regex_match(std::string(facts.name), std::regex("[a-z0-9]+(-[a-z0-9]+)*"))) << facts.name;
    EXPECT_TRUE(names.insert(facts.name).second) << facts.name;
  }
}

}  // namespace

}  // namespace p2pd::test
