// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "verdict/verdict.h"

namespace p2pd::test {

namespace {

Blocker a_blocker(Severity severity, bool is_certain) {
  Blocker blocker;
  blocker.code = "some-code";
  blocker.severity = severity;
  blocker.is_certain = is_certain;
  return blocker;
}

struct Case {
  const char* what;
  std::vector<Blocker> blockers;
  Answer possible;
  Answer answer;
};

class Conclusion : public ::testing::TestWithParam<Case> {};

TEST_P(Conclusion, FollowsFromTheBlockers) {
  Verdict verdict;
  verdict.blockers = GetParam().blockers;
  verdict.conclude();
  EXPECT_EQ(verdict.possible, GetParam().possible);
  EXPECT_EQ(verdict.answer, GetParam().answer);
}

const Blocker block = a_blocker(Severity::block, true);
const Blocker block_maybe = a_blocker(Severity::block, false);
const Blocker setup = a_blocker(Severity::setup, true);
const Blocker setup_maybe = a_blocker(Severity::setup, false);
const Blocker limit = a_blocker(Severity::limit, true);

INSTANTIATE_TEST_SUITE_P(Verdict, Conclusion,
                         ::testing::Values(Case{"nothing", {}, Answer::yes, Answer::yes},
                                           Case{"limit", {limit}, Answer::yes, Answer::yes},
                                           Case{"setup", {setup}, Answer::yes, Answer::no},
                                           Case{"setup_maybe", {setup_maybe}, Answer::yes, Answer::unknown},
                                           Case{"block", {block}, Answer::no, Answer::no},
                                           Case{"block_maybe", {block_maybe}, Answer::unknown, Answer::unknown},
                                           Case{"block_maybe_then_block", {block_maybe, block}, Answer::no, Answer::no},
                                           Case{"block_maybe_and_setup", {block_maybe, setup}, Answer::unknown, Answer::no},
                                           Case{"setup_maybe_then_setup", {setup_maybe, setup}, Answer::yes, Answer::no}),
                         [](const auto& test) { return test.param.what; });

TEST(Conclusion, IsDrawnAnewEachTime) {
  Verdict verdict;
  verdict.blockers = {block};
  verdict.conclude();
  verdict.blockers.clear();
  verdict.conclude();
  EXPECT_EQ(verdict.answer, Answer::yes);
}

TEST(Words, AreThoseOfTheGlossary) {
  EXPECT_EQ(to_string(Answer::yes), "yes");
  EXPECT_EQ(to_string(Answer::no), "no");
  EXPECT_EQ(to_string(Answer::unknown), "unknown");
  EXPECT_EQ(to_string(Route::switched), "switch");
  EXPECT_EQ(to_string(Route::root_complex), "root-complex");
  EXPECT_EQ(to_string(Route::local), "local");
  EXPECT_EQ(to_string(Route::described), "described");
  EXPECT_EQ(to_string(Route::none), "none");
  EXPECT_EQ(to_string(Severity::block), "block");
  EXPECT_EQ(to_string(Severity::setup), "setup");
  EXPECT_EQ(to_string(Severity::limit), "limit");
  EXPECT_EQ(to_string(Evidence::rules), "rules");
  EXPECT_EQ(to_string(KernelRule::MapType::bus_address), "bus-address");
  EXPECT_EQ(to_string(KernelRule::MapType::through_host_bridge), "through-host-bridge");
  EXPECT_EQ(to_string(KernelRule::MapType::not_supported), "not-supported");
  EXPECT_EQ(to_string(KernelRule::MapType::unknown), "unknown");
}

}  // namespace

}  // namespace p2pd::test
