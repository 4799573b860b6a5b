// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every step fails once: nothing stays open, nothing stays in the store, the lease is ended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effects_desk.h"
#include "open_fds.h"

namespace p2pd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Faults : public testing::TestWithParam<const char*>, protected EffectsDesk {
 protected:
  void SetUp() override { failing_step = GetParam(); }
  void expect_made_to_fail(const Outcome<void>& outcome) {
    ASSERT_FALSE(outcome);
    EXPECT_THAT(outcome.error().text, HasSubstr(failing_step + ": made to fail"));
  }
  LeaseClient client;
};

class OpenHoldingFaults : public Faults {};

TEST_P(OpenHoldingFaults, LeaveNothing) {
  auto lease = lease_of(client);
  const auto before = open_fds();
  runner->run(OpenHolding{HoldingId{7}, initiator, initiator_group, std::move(lease)});
  const auto opened = next<HoldingOpened>();

  ASSERT_FALSE(opened.outcome);
  EXPECT_THAT(opened.outcome.error().text, HasSubstr("open holding/7 on 0000:01:00.0: " + failing_step + ": made to fail"));
  EXPECT_THAT(store.names(), IsEmpty());
  EXPECT_FALSE(vfio.is_open(initiator));
  EXPECT_FALSE(client.receive());
  EXPECT_TRUE(has_hung_up(client.socket()));
  vfio.forget_closed();
  EXPECT_TRUE(open_fds_fall_to(before - 1));
  loop.settle();
  EXPECT_FALSE(has_event_of_lease());

  // It was the step: without the fault the same opens.
  failing_step.clear();
  LeaseClient other;
  EXPECT_TRUE(open_holding(other).outcome);
  close_holding();
}

INSTANTIATE_TEST_SUITE_P(EachStep, OpenHoldingFaults,
                         testing::Values("check lease", "open", "keep h7.c", "keep h7.g", "keep h7.d", "keep h7.l",
                                         "send the device"));

class OpenTargetFaults : public Faults {};

TEST_P(OpenTargetFaults, LeaveNothing) {
  const auto before = open_fds();
  expect_made_to_fail(open_target());
  EXPECT_THAT(store.names(), IsEmpty());
  EXPECT_FALSE(vfio.is_open(target));
  vfio.forget_closed();
  EXPECT_LE(open_fds(), before);

  failing_step.clear();
  EXPECT_TRUE(open_target());
  close_target();
}

INSTANTIATE_TEST_SUITE_P(EachStep, OpenTargetFaults,
                         testing::Values("open", "ask to be told when it is wanted", "keep t1.c", "keep t1.g", "keep t1.d"));

class MapFaults : public Faults {
 protected:
  void SetUp() override {
    ASSERT_TRUE(open_target());
    ASSERT_TRUE(open_holding(client).outcome);
    names_before = store.names();
    failing_step = GetParam();
  }
  void TearDown() override {
    close_holding();
    close_target();
  }
  void expect_nothing_left(std::size_t fds_before) {
    EXPECT_THAT(vfio.mapped(initiator), IsEmpty());
    EXPECT_EQ(store.names(), names_before);
    EXPECT_TRUE(has_hung_up(own.socket()));
    EXPECT_FALSE(has_hung_up(client.socket()));
    EXPECT_TRUE(open_fds_fall_to(fds_before));
    loop.settle();
    EXPECT_FALSE(has_event_of_lease());
  }

  std::vector<std::string> names_before;
  LeaseClient own;
};

TEST_P(MapFaults, OfABarLeaveNothing) {
  // The BAR of the fake has its memory from the first look on.
  static_cast<void>(vfio.bar_bytes(target, 2, Bytes{0}, Bytes{1}));
  auto effect = peer_at(cookie);
  effect.lease = lease_of(own);
  const auto before = open_fds();
  expect_made_to_fail(map_peer(std::move(effect)));
  expect_nothing_left(before - 1);

  failing_step.clear();
  EXPECT_TRUE(map_peer(peer_at(cookie)));
}

TEST_P(MapFaults, OfMemoryLeaveNothing) {
  const auto memfd = client_memory();
  auto effect = memory_at(cookie, memfd);
  effect.lease = lease_of(own);
  const auto before = open_fds();
  expect_made_to_fail(map_memory(std::move(effect)));
  expect_nothing_left(before - 2);

  failing_step.clear();
  EXPECT_TRUE(map_memory(memory_at(cookie, memfd)));
}

INSTANTIATE_TEST_SUITE_P(EachStep, MapFaults, testing::Values("check lease", "bring the memory", "keep m9.l", "map"));

// ---- what fails by itself

class Failures : public testing::Test, protected EffectsDesk {
 protected:
  LeaseClient client;
};

TEST_F(Failures, OfTheKernelAreTold) {
  vfio.fail_next("open", {ErrorCode::busy, "EBUSY"});
  EXPECT_EQ(open_holding(client).outcome.error(), (Reason{ErrorCode::busy, "open holding/7 on 0000:01:00.0: open: EBUSY"}));
  EXPECT_THAT(store.names(), IsEmpty());
}

TEST_F(Failures, OfAFullStoreLeaveNothing) {
  store.set_limit(3);
  EXPECT_EQ(open_holding(client).outcome.error().code, ErrorCode::quota_exceeded);
  EXPECT_THAT(store.names(), IsEmpty());
  EXPECT_FALSE(vfio.is_open(initiator));
  EXPECT_TRUE(has_hung_up(client.socket()));
}

TEST_F(Failures, OfMapAreUndone) {
  ASSERT_TRUE(open_holding(client).outcome);
  vfio.fail_next("map", {ErrorCode::failed, "ENOMEM"});
  EXPECT_EQ(map_memory(memory_at(cookie, client_memory())).error().text, "map memory for mapping/9: map: ENOMEM");
  EXPECT_THAT(vfio.mapped(initiator), IsEmpty());
  close_holding();
}

TEST_F(Failures, OfAClientThatFilledItsQueueTakeTheHoldingBack) {
  auto lease = lease_of(client);
  const Tell notice{.grant = HoldingId{7}, .lease = HoldingId{7}};
  for (int count = 0; count < 5000; ++count) send_notice(lease.socket.get(), "/org/p2pd1/holding/7", notice);
  runner->run(OpenHolding{HoldingId{7}, initiator, initiator_group, std::move(lease)});
  EXPECT_THAT(next<HoldingOpened>().outcome.error().text, HasSubstr("does not read its lease"));
  EXPECT_FALSE(vfio.is_open(initiator));
}

}  // namespace
}  // namespace p2pd
