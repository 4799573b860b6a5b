// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Folding a wide matrix hides nothing that differs.
#include "cli/matrix_fold.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "cli/text.h"
#include "client_fixtures.h"

namespace p2pclient::test {
namespace {

using testing::HasSubstr;
using testing::Not;

const PairSummary same{.is_same = true};
const PairSummary through_switch{.possible = Answer::yes, .route = "switch"};
const PairSummary impossible{.possible = Answer::no};

// So many VFs of one PF, and beside them one function.
struct Wide {
  std::vector<Device> devices;
  Matrix matrix;
};

std::string vf(std::size_t number) { return fmt::format("0000:05:{:02x}.{}", number / 8, number % 8); }

Wide with_virtual_functions(std::size_t count) {
  Wide wide;
  wide.devices.push_back(a_function("0000:04:00.0"));
  for (std::size_t i = 0; i < count; ++i) {
    wide.devices.push_back(a_function(vf(i)));
    wide.devices.back().physical_function = "0000:05:1f.7";
  }
  for (const auto& device : wide.devices) {
    wide.matrix.initiators.push_back(device.address);
    wide.matrix.targets.push_back(device.address + ":0");
    wide.matrix.targets.push_back(device.address + ":2");
  }
  wide.matrix.kinds = {same, through_switch, impossible};
  for (const auto& initiator : wide.matrix.initiators)
    for (const auto& target : wide.matrix.targets) wide.matrix.cells.push_back(target.starts_with(initiator) ? 0 : 1);
  return wide;
}

std::uint8_t& cell(Matrix& matrix, const std::string& initiator, const std::string& target) {
  const auto row = std::find(matrix.initiators.begin(), matrix.initiators.end(), initiator) - matrix.initiators.begin();
  const auto column = std::find(matrix.targets.begin(), matrix.targets.end(), target) - matrix.targets.begin();
  return matrix.cells.at(static_cast<std::size_t>(row) * matrix.targets.size() + static_cast<std::size_t>(column));
}

std::vector<std::size_t> sizes(const std::vector<cli::Fold>& folds) {
  std::vector<std::size_t> sizes;
  for (const auto& fold : folds) sizes.push_back(fold.members.size());
  return sizes;
}

TEST(ClientMatrixFold, MakesOneLineOfVirtualFunctionsThatAreAlike) {
  const auto wide = with_virtual_functions(20);
  const auto folds = cli::fold(wide.matrix, wide.devices);
  EXPECT_THAT(sizes(folds), testing::ElementsAre(1, 20));
  const auto text = cli::matrix_text(wide.matrix, folds, {});
  EXPECT_THAT(text, HasSubstr("0000:05:00.0 +19 S S S S\n"));
  EXPECT_THAT(text, HasSubstr("  4  0000:05:00.0:2 +19\n"));
  EXPECT_THAT(text, HasSubstr("20 alike: 0000:05:00.0 0000:05:00.1 0000:05:00.2 ... 0000:05:02.3\n"));
  EXPECT_THAT(text, HasSubstr("--all"));
  EXPECT_THAT(cli::matrix_text(wide.matrix, cli::fold_nothing(wide.matrix), {}), Not(HasSubstr("+19")));
}

TEST(ClientMatrixFold, LeavesASmallMatrixAlone) {
  const auto small = with_virtual_functions(6);
  EXPECT_EQ(cli::fold(small.matrix, small.devices).size(), 7U);
}

TEST(ClientMatrixFold, KeepsApartWhatDiffersInOnePairInEitherDirection) {
  for (const auto& [initiator, target] : {std::pair{vf(3), std::string("0000:04:00.0:2")},       // reaches less
                                          std::pair{std::string("0000:04:00.0"), vf(3) + ":0"},  // is reached by fewer
                                          std::pair{vf(4), vf(3) + ":2"}}) {                     // among themselves
    auto wide = with_virtual_functions(20);
    cell(wide.matrix, initiator, target) = 2;
    const auto folds = cli::fold(wide.matrix, wide.devices);
    for (const auto& fold : folds) {
      const bool has_it =
          std::any_of(fold.members.begin(), fold.members.end(), [](const auto& member) { return member.address == vf(3); });
      EXPECT_TRUE(!has_it || fold.members.size() == 1U) << initiator << " " << target;
    }
    EXPECT_THAT(cli::matrix_text(wide.matrix, folds, {}), HasSubstr("-  not possible"));
  }
}

TEST(ClientMatrixFold, FoldsOnlySiblingsOfOneClass) {
  auto wide = with_virtual_functions(20);
  wide.devices[1].class_code = 0x020000;
  wide.devices[2].physical_function = "0000:06:00.0";
  EXPECT_THAT(sizes(cli::fold(wide.matrix, wide.devices)), testing::ElementsAre(1, 1, 1, 18));
}

TEST(ClientMatrixFold, FoldsFunctionsBelowOneSwitch) {
  auto wide = with_virtual_functions(18);
  wide.devices.push_back(a_bridge("0000:02:00.0"));
  for (std::size_t i = 1; i <= 18; ++i) {
    wide.devices[i].physical_function.clear();
    wide.devices.push_back(a_bridge(fmt::format("0000:03:{:02x}.0", i), i <= 10 ? "0000:02:00.0" : "0000:0a:00.0"));
    wide.devices.back().port_type = "switch-downstream";
    wide.devices[i].parent = wide.devices.back().address;
  }
  EXPECT_THAT(sizes(cli::fold(wide.matrix, wide.devices)), testing::ElementsAre(1, 10, 8));
}

TEST(ClientMatrixFold, DrawsColumnsInBlocksOnANarrowTerminal) {
  const auto wide = with_virtual_functions(20);
  const auto text = cli::matrix_text(wide.matrix, cli::fold_nothing(wide.matrix), {.width = 40});
  std::istringstream lines(text.substr(0, text.find("  1  0000:")));
  std::size_t headings = 0;
  for (std::string line; std::getline(lines, line);) {
    headings += line.starts_with("INITIATOR") ? 1 : 0;
    EXPECT_LE(line.size(), 40U) << line;
  }
  EXPECT_EQ(headings, 5U);  // 9 of 42 columns in each
  EXPECT_THAT(text, HasSubstr("\n 42  0000:05:02.3:2\n"));
}

// What a folded matrix says of a pair is what the whole one says, whichever members are asked about.
RC_GTEST_PROP(ClientMatrixFold, SaysOfEveryPairWhatTheWholeSays, ()) {
  auto wide = with_virtual_functions(18);
  const auto changes = *rc::gen::inRange(0, 4);
  for (int i = 0; i < changes; ++i) wide.matrix.cells[*rc::gen::inRange<std::size_t>(0, wide.matrix.cells.size())] = 2;
  const auto folds = cli::fold(wide.matrix, wide.devices);
  std::size_t members = 0;
  for (const auto& from : folds) {
    members += from.members.size();
    for (const auto& to : folds) {
      for (std::size_t bar = 0; bar < 2; ++bar) {
        std::set<std::pair<std::string, Answer>> others;
        for (const auto& a : from.members)
          for (const auto& b : to.members)
            if (a.address != b.address) {
              const auto& pair = wide.matrix.at(a.rows.at(0), b.columns.at(bar));
              others.emplace(pair.is_same ? "same" : pair.route, pair.possible);
            }
        RC_ASSERT(others.size() <= 1);
      }
    }
  }
  RC_ASSERT(members == wide.devices.size());
}

}  // namespace
}  // namespace p2pclient::test
