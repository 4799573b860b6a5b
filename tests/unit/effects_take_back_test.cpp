// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The daemon was killed; the next one finds what it left in the fd store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effects/take_back_store.h"
#include "effects_desk.h"
#include "open_fds.h"

namespace p2pd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LeftBehind : public testing::Test, protected EffectsDesk {
 protected:
  void SetUp() override {
    container = vfio.leave_behind(initiator, {{cookie, page}, {Iova{0x200000}, page}});
    end = client.give_end();
    ASSERT_TRUE(store.keep("h7.c", container.get(), false));
    ASSERT_TRUE(store.keep("h7.l", end.get(), true));
    ASSERT_TRUE(store.keep("t1.d", client_memory().get(), false));
  }

  UniqueFd container;  // the client's device fd pins it
  LeaseClient client;
  UniqueFd end;
};

TEST_F(LeftBehind, MappingsAreUnmapped) {
  ASSERT_EQ(vfio.mapped(initiator).size(), 2);
  take_back_store({vfio}, store);
  EXPECT_THAT(vfio.mapped(initiator), IsEmpty());
  EXPECT_THAT(vfio.calls(), ElementsAre("unmap_all_in 0000:01:00.0"));
}

TEST_F(LeftBehind, LeasesAreEndedForAllCopies) {
  ASSERT_FALSE(has_hung_up(client.socket()));
  take_back_store({vfio}, store);
  EXPECT_TRUE(has_hung_up(client.socket()));
}

TEST_F(LeftBehind, NothingStaysInTheStoreOrOpen) {
  const auto before = open_fds();
  ASSERT_EQ(store.names().size(), 3);
  take_back_store({vfio}, store);
  EXPECT_THAT(store.names(), IsEmpty());
  EXPECT_EQ(store.barriers(), 2) << "targets first: what was exported ends with them";
  EXPECT_LE(open_fds(), before - 3);
}

TEST_F(LeftBehind, WhatDoesNotUnmapStaysInTheStoreWithItsLease) {
  const auto other = vfio.leave_behind(target, {{cookie, page}});
  LeaseClient other_client;
  const auto other_end = other_client.give_end();
  ASSERT_TRUE(store.keep("h8.c", other.get(), false));
  ASSERT_TRUE(store.keep("h8.l", other_end.get(), true));
  vfio.fail_next("unmap_all_in", {ErrorCode::failed, "EINVAL"});

  take_back_store({vfio}, store);  // h7 comes first
  EXPECT_EQ(vfio.mapped(initiator).size(), 2);
  EXPECT_FALSE(has_hung_up(client.socket()));
  EXPECT_THAT(store.names(), ElementsAre("h7.c", "h7.l"));
  EXPECT_THAT(vfio.mapped(target), IsEmpty()) << "all others are finished";
  EXPECT_TRUE(has_hung_up(other_client.socket()));

  take_back_store({vfio}, store);
  EXPECT_THAT(vfio.mapped(initiator), IsEmpty());
  EXPECT_TRUE(has_hung_up(client.socket()));
  EXPECT_THAT(store.names(), IsEmpty());
}

TEST_F(LeftBehind, ATargetsContainerHoldsNoMappingToComeBackTo) {
  const auto other = vfio.leave_behind(target, {});
  ASSERT_TRUE(store.keep("a.c", other.get(), false));  // in front of h7
  vfio.fail_next("unmap_all_in", {ErrorCode::failed, "EINVAL"});
  take_back_store({vfio}, store);
  EXPECT_THAT(vfio.mapped(initiator), IsEmpty());
  EXPECT_THAT(store.names(), IsEmpty());
}

TEST(NothingLeftBehind, IsNoWork) {
  EffectsDesk desk;
  take_back_store({desk.vfio}, desk.store);
  EXPECT_EQ(desk.store.barriers(), 0);
  EXPECT_THAT(desk.vfio.calls(), IsEmpty());
}

}  // namespace
}  // namespace p2pd
