// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The kernel does not unmap: p2pd must not forget what is still mapped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effects/give_up.h"
#include "effects/journal.h"
#include "effects/kernel_objects.h"
#include "effects_desk.h"

namespace p2pd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const Reason refused{ErrorCode::failed, "EINVAL"};

TEST(AHoldingThatDoesNotUnmap, StaysOpenMappedAndInTheStore) {
  fakes::FakeFdStore store;
  fakes::FakeVfio vfio(&store);
  KernelObjects kernel({vfio}, store, {});
  LeaseClient client;
  ASSERT_TRUE(kernel.open_holding({HoldingId{7}, initiator, initiator_group, std::move(*check_lease(client.give_end()))}, "/7"));
  ASSERT_TRUE(kernel.map_client_memory({.mapping = MappingId{9},
                                        .holding = HoldingId{7},
                                        .memfd = client_memory(),
                                        .offset = {},
                                        .iova = {cookie, page},
                                        .access = Access::read_write,
                                        .lease = {}}));
  client.close();

  vfio.fail_next("unmap_all", refused);
  EXPECT_EQ(kernel.close_holding({HoldingId{7}}).error(), refused);
  EXPECT_THAT(store.names(), UnorderedElementsAre("h7.c", "h7.g", "h7.d"));
  EXPECT_THAT(vfio.mapped(initiator), ElementsAre(Range<Iova>{cookie, page}));

  EXPECT_TRUE(kernel.close_holding({HoldingId{7}}));
  EXPECT_THAT(store.names(), IsEmpty());
  EXPECT_THAT(vfio.mapped(initiator), IsEmpty());
}

// Forked anew, because the worker's thread is there already.
class GiveUpDeathTest : public testing::Test {
 protected:
  GiveUpDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  static void close_a_holding_that_does_not_unmap() {
    set_up_log(false);
    EffectsDesk desk;
    LeaseClient client;
    if (!desk.open_holding(client).outcome) return;
    desk.vfio.fail_next("unmap_all", refused);
    desk.close_holding();
    ::_exit(0);  // whoever comes here has told the arbiter that it is closed
  }
  static void throw_in_a_callback() {
    set_up_log(false);
    or_give_up("the queue", [] { throw std::runtime_error("no memory"); });
  }
};

TEST_F(GiveUpDeathTest, EndsTheDaemonRatherThanForgetAMapping) {
  EXPECT_EXIT(close_a_holding_that_does_not_unmap(), testing::KilledBySignal(SIGABRT), "cannot close holding/7: EINVAL");
}

TEST_F(GiveUpDeathTest, EndsTheDaemonWhenACallbackThrows) {
  bool has_run = false;
  EXPECT_EQ(or_give_up("the queue", [&] { has_run = true; }), 0);
  EXPECT_TRUE(has_run);
  EXPECT_EXIT(throw_in_a_callback(), testing::KilledBySignal(SIGABRT), "the queue: no memory");
}

}  // namespace
}  // namespace p2pd
