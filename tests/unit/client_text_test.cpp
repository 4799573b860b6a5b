// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/format.h"
#include "client_fixtures.h"

namespace p2pclient::test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<Device> a_machine() {
  auto target = a_function("0000:02:00.0", "0000:00:01.0");
  target.bars = {a_memory_bar(0, 256, 0xfe000000), a_memory_bar(2, 64 << 20, 0x380000000)};
  target.bars[1].target = "enabled";
  target.iommu_group = 7;
  target.driver = "vfio-pci";
  auto initiator = a_function("0000:00:02.0");
  initiator.is_offered = true;
  initiator.offer_group = "p2p";
  return {a_bridge("0000:00:01.0"), initiator, target};
}

// Cells without the padding.
std::vector<std::string> words_of_line(const std::string& text, const std::string& start) {
  const auto at = text.find(start);
  if (at == std::string::npos) return {};
  std::istringstream line(text.substr(at, text.find('\n', at) - at));
  return {std::istream_iterator<std::string>(line), {}};
}

TEST(ClientText, ListsAFunctionInALineWithItsBars) {
  const auto text = cli::list_text(a_machine(), {});
  EXPECT_THAT(words_of_line(text, "0000:02:00.0"),
              testing::ElementsAre("0000:02:00.0", "Memory", "controller", "vfio-pci", "7", "-", "0:256", "2:64M", "BAR", "2",
                                   "enabled", "vendor", "1af4", "device", "0042"));
  EXPECT_THAT(text, HasSubstr("offered to p2p"));
}

TEST(ClientText, DrawsAFunctionBelowItsBridgeAndItsBarsBelowIt) {
  const auto text = cli::tree_text(a_machine(), {});
  const auto bridge = text.find("0000:00:01.0");
  const auto function = text.find("-0000:02:00.0");
  const auto bar = text.find("-BAR 2 64M");
  ASSERT_NE(bar, std::string::npos) << text;
  EXPECT_LT(bridge, function);
  EXPECT_LT(function, bar);
  EXPECT_LT(bar, text.find("\n0000:00:02.0"));
}

TEST(ClientText, EndsEveryTextWithALineFeed) {
  const Matrix matrix{{"a"}, {"x"}, {0}, {{}}};
  for (const auto& text : {cli::list_text(a_machine(), {}), cli::tree_text(a_machine(), {}), cli::show_text(a_machine()[0]),
                           cli::matrix_text(matrix, cli::fold_nothing(matrix), {}), cli::verdict_text({}),
                           cli::grants_text({}, {}, {}), cli::info_text({})})
    EXPECT_TRUE(text.ends_with('\n')) << text;
}

TEST(ClientText, ColoursOnlyWhenAsked) {
  EXPECT_THAT(cli::list_text(a_machine(), {.colors = false}), Not(HasSubstr("\033[")));
  EXPECT_THAT(cli::list_text(a_machine(), {.colors = true}), HasSubstr("\033["));
}

TEST(ClientText, CutsNamesAndNotAddressesOnANarrowTerminal) {
  const auto text = cli::list_text(a_machine(), {.width = 70});
  EXPECT_THAT(text, HasSubstr("0000:02:00.0"));
  EXPECT_THAT(text, HasSubstr("0:256 2:64M"));
  EXPECT_THAT(text, Not(HasSubstr("device 0042")));
}

TEST(ClientText, ShowsWhatIsPossibleInAMatrixOfLettersWithALegend) {
  const Matrix matrix{
      {"0000:00:02.0", "0000:02:00.0"},
      {"0000:02:00.0:2", "0000:00:02.0:0"},
      {0, 1, 1, 2},
      {{false, Answer::yes, Answer::no, "root-complex"}, {true, {}, {}, ""}, {false, Answer::no, Answer::no, "none"}}};
  const auto text = cli::matrix_text(matrix, cli::fold_nothing(matrix), {});
  EXPECT_THAT(words_of_line(text, "0000:00:02.0"), testing::ElementsAre("0000:00:02.0", "R", "="));
  EXPECT_THAT(text, HasSubstr("1  0000:02:00.0:2\n"));
  EXPECT_THAT(text, HasSubstr("  R  possible, through the root complex\n"));
  EXPECT_THAT(text, HasSubstr("  -  not possible\n"));
  EXPECT_THAT(text, Not(HasSubstr("  S  ")));  // no such pair, no explanation
}

TEST(ClientText, NamesEveryBlockerWithWhatWasSeenAndTheRemedy) {
  Verdict verdict;
  verdict.initiator = "0000:03:00.0";
  verdict.target = "0000:04:00.0:2";
  verdict.answer = Answer::no;
  verdict.possible = Answer::yes;
  verdict.blockers = {a_blocker("target-not-enabled", "setup"), a_blocker("iommu-off", "block")};
  verdict.blockers[1].is_certain = false;
  verdict.writes = Answer::yes;
  verdict.remedies = {"first", "then"};
  verdict.notes = {"rule-newer-kernel"};
  const auto text = cli::verdict_text(verdict);
  EXPECT_THAT(text, HasSubstr("0000:03:00.0 -> 0000:04:00.0:2: no\n  possible  yes\n"));
  EXPECT_THAT(text,
              HasSubstr("  setup: target-not-enabled\n    where     0000:00:02.0\n    observed  seen\n    needed    wanted\n"
                        "    remedy    do this\n"));
  EXPECT_THAT(text, HasSubstr("  block: iommu-off (not certain)\n"));
  EXPECT_THAT(text, HasSubstr("  requests  writes yes, reads unknown, translated unknown\n  decided   by the route rule\n"));
  EXPECT_THAT(text, HasSubstr("  to make it work:\n    first\n    then\n"));
  EXPECT_THAT(text, HasSubstr("note: rule-newer-kernel\n"));
}

TEST(ClientText, HangsMappingsBelowTheirHolding) {
  HoldingInfo holding;
  holding.path = "/org/p2pd1/holding/3";
  holding.initiator = "0000:03:00.0";
  holding.owner_uid = 1000;
  MappingInfo mapping;
  mapping.path = "/org/p2pd1/mapping/5";
  mapping.holding = holding.path;
  mapping.target = "0000:04:00.0:2";
  mapping.cookie = Iova{0x100000};
  mapping.length = 1 << 20;
  const auto text = cli::grants_text({holding}, {mapping}, {});
  EXPECT_THAT(text, HasSubstr("\nholding/3"));
  EXPECT_THAT(text, HasSubstr("uid 1000"));
  EXPECT_THAT(words_of_line(text, "-mapping/5"), testing::Contains("0x100000"));
}

TEST(ClientText, WritesWholeMultiplesOfUnitsShort) {
  EXPECT_EQ(cli::size(0), "0");
  EXPECT_EQ(cli::size(4096), "4K");
  EXPECT_EQ(cli::size(4097), "4097");
  EXPECT_EQ(cli::size(3ULL << 30), "3G");
}

}  // namespace
}  // namespace p2pclient::test
