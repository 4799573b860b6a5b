// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A matrix that is asked for in parts is the same as in one piece.
#include <gtest/gtest.h>

#include <algorithm>

#include "src/matrix.h"

namespace p2pclient::test {
namespace {

std::vector<std::string> names(const std::string& prefix, std::size_t count) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(prefix + std::to_string(i));
  return result;
}

// What is said of a pair, by the numbers in its names. Each part has its kinds in an order of its own, as p2pd's legend has.
Matrix answer(const std::vector<std::string>& initiators, const std::vector<std::string>& targets) {
  Matrix matrix{.initiators = initiators, .targets = targets};
  for (const auto& initiator : initiators) {
    for (const auto& target : targets) {
      const auto number = std::stoul(initiator.substr(1)) * 7 + std::stoul(target.substr(1));
      PairSummary kind{.route = "route-" + std::to_string(number % 5)};
      kind.is_same = number % 5 == 4;
      const auto found = std::find(matrix.kinds.begin(), matrix.kinds.end(), kind);
      matrix.cells.push_back(static_cast<std::uint8_t>(found - matrix.kinds.begin()));
      if (found == matrix.kinds.end()) matrix.kinds.push_back(kind);
    }
  }
  return matrix;
}

class ClientMatrix : public testing::TestWithParam<std::pair<std::size_t, std::size_t>> {};

TEST_P(ClientMatrix, OfPartsIsTheWhole) {
  const auto initiators = names("i", GetParam().first);
  const auto targets = names("t", GetParam().second);
  std::size_t asked = 0;
  const auto whole = ask_in_parts(initiators, targets, [&](const auto& rows, const auto& columns) {
    EXPECT_LE(rows.size() * columns.size(), most_pairs_at_once);
    EXPECT_LE(std::max(rows.size(), columns.size()), most_names_at_once);
    EXPECT_GT(rows.size() * columns.size(), 0U);
    ++asked;
    return answer(rows, columns);
  });
  const auto expected = answer(initiators, targets);
  EXPECT_EQ(whole.initiators, initiators);
  EXPECT_EQ(whole.targets, targets);
  for (std::size_t row = 0; row < initiators.size(); ++row)
    for (std::size_t column = 0; column < targets.size(); ++column)
      ASSERT_EQ(whole.at(row, column), expected.at(row, column)) << row << ' ' << column;
  const auto pairs = initiators.size() * targets.size();
  EXPECT_GE(asked, (pairs + most_pairs_at_once - 1) / most_pairs_at_once);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ClientMatrix,
                         testing::Values(std::pair{0U, 3U}, std::pair{3U, 0U}, std::pair{1U, 1U}, std::pair{128U, 256U},
                                         std::pair{129U, 256U}, std::pair{3U, 4097U}, std::pair{5000U, 2U},
                                         std::pair{200U, 300U}));

}  // namespace
}  // namespace p2pclient::test
