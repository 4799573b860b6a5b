// SPDX-License-Identifier: LGPL-2.1-or-later
#include "state/lent_pools.h"

#include <gtest/gtest.h>

#include <fstream>

#include "builders.h"
#include "fake_sysfs.h"

namespace p2pd::test {
namespace {

TEST(LentPools, AreReadAsTheyWereWritten) {
  const FakeSysfs tree;
  const auto& directory = tree.top();
  EXPECT_TRUE(read_lent_pools(directory).empty());
  const LentPool first{1ULL << 40, 1000};
  const LentPool second{7, 0};
  ASSERT_TRUE(write_lent_pool(directory, at("0000:01:00.0"), LentPool{3, 4}));
  ASSERT_TRUE(write_lent_pool(directory, at("0000:01:00.0"), first));
  ASSERT_TRUE(write_lent_pool(directory, at("10000:02:00.1"), second));
  const auto read = read_lent_pools(directory);
  EXPECT_EQ(read, (std::map<Address, LentPool>{{at("0000:01:00.0"), first}, {at("10000:02:00.1"), second}}));
  forget_lent_pool(directory, at("0000:01:00.0"));
  EXPECT_EQ(read_lent_pools(directory).size(), 1U);
}

TEST(LentPools, OfAFileThatCannotBeReadWereLentToNobodyThereIs) {
  const FakeSysfs tree;
  const auto& directory = tree.top();
  std::ofstream(directory / "lent-pool-0000:01:00.0") << "torn";
  EXPECT_EQ(read_lent_pools(directory).at(at("0000:01:00.0")), LentPool{});
}

TEST(LentPools, AreNotForgottenWithoutAWord) {
  EXPECT_EQ(write_lent_pool("/nonexistent", at("0000:01:00.0"), LentPool{1, 2}).error().code, ErrorCode::failed);
}

}  // namespace
}  // namespace p2pd::test
