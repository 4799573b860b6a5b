// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The fakes catch what they are there to catch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effects_desk.h"

namespace p2pd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Fakes : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "fast"); }
  void TearDown() override {
    if (!function) return;
    EXPECT_TRUE(function->unmap_all());
    store.remove(store.names());
  }
  void keep_all() {
    for (const auto& [fd, suffix] : function->fds_to_keep()) ASSERT_TRUE(store.keep(std::string("h7.") + suffix, fd, false));
    ASSERT_TRUE(store.keep("h7.l", lease.get(), true));
  }
  Outcome<void> map(Iova iova) { return function->map({iova, page}, memory, Access::read_write); }

  fakes::FakeFdStore store;
  fakes::FakeVfio vfio{&store};
  std::unique_ptr<OpenedFunction> function = std::move(vfio.open(initiator, initiator_group).value());
  DmaMemory memory = CpuMapping(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), 4096);
  LeaseClient client;
  UniqueFd lease = client.give_end();
};
using FakesDeathTest = Fakes;

TEST_F(FakesDeathTest, CatchAMapBeforeTheFdsAreKept) { EXPECT_DEATH(static_cast<void>(map(cookie)), "before all fds"); }

TEST_F(FakesDeathTest, CatchAMapBeforeTheLeaseIsKept) {
  for (const auto& [fd, suffix] : function->fds_to_keep()) ASSERT_TRUE(store.keep(std::string("h7.") + suffix, fd, false));
  EXPECT_DEATH(static_cast<void>(map(cookie)), "before the lease");
}

TEST_F(FakesDeathTest, CatchAnOverlap) {
  keep_all();
  ASSERT_TRUE(map(cookie));
  EXPECT_DEATH(static_cast<void>(map(cookie)), "mapped over a mapping");
}

TEST_F(FakesDeathTest, CatchAMapOutsideOfTheValidRanges) {
  keep_all();
  EXPECT_DEATH(static_cast<void>(map(Iova{0xfee00000})), "outside of the valid IOVAs");
}

TEST_F(FakesDeathTest, CatchAnUnmapOfNothing) { EXPECT_DEATH(static_cast<void>(function->unmap({cookie, page})), "not mapped"); }

TEST_F(FakesDeathTest, CatchMemoryThatGoesBeforeItsMapping) {
  keep_all();
  ASSERT_TRUE(map(cookie));
  EXPECT_DEATH(
      {
        memory = {};
        static_cast<void>(function->unmap({cookie, page}));
      },
      "memory went before its mapping");
}

TEST_F(FakesDeathTest, CatchACloseWithoutAnUnmap) {
  keep_all();
  ASSERT_TRUE(map(cookie));
  EXPECT_DEATH(function.reset(), "closed without unmapping");
}

TEST_F(FakesDeathTest, CatchACloseWhileTheStoreHasACopy) {
  keep_all();
  EXPECT_DEATH(function.reset(), "while the fd store has a copy");
}

TEST_F(FakesDeathTest, CatchNamesThatAreWrong) {
  keep_all();
  EXPECT_DEATH(static_cast<void>(store.keep("h7.c", lease.get(), false)), "unique");
  EXPECT_DEATH(static_cast<void>(store.keep("h8.c", lease.get(), true)), "leases are named");
  EXPECT_DEATH(static_cast<void>(store.keep("h12345678901234.c", lease.get(), false)), "1 to 16");
  EXPECT_DEATH(store.remove({"h9.c"}), "without being there");
}

TEST_F(Fakes, KeepAGroupBusyWhileACopyOfTheDeviceIsOpen) {
  auto copy = UniqueFd::duplicate(function->device_fd());
  function.reset();
  EXPECT_EQ(vfio.open(initiator, initiator_group).error().code, ErrorCode::busy);
  copy.reset();
  EXPECT_TRUE(vfio.open(initiator, initiator_group));
}

TEST_F(Fakes, DropALeaseThatHangsUpAndNothingElse) {
  keep_all();
  client.close();
  EXPECT_THAT(store.names(), ElementsAre("h7.c", "h7.d", "h7.g"));
}

}  // namespace
}  // namespace p2pd
