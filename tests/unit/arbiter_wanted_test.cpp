// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The kernel wants the function of a target back: what is mapped from it ends at once, and nothing is granted on it until
// it is closed.
#include <gtest/gtest.h>

#include "arbiter_scene.h"

namespace p2pd::test {
namespace {

constexpr auto target_device = "0000:04:00.0";

struct WantedDesk : ReadyDesk {
  using ReadyDesk::ReadyDesk;
  void wanted() { happens(DeviceWanted{at(target_device)}); }
};

TEST(ArbiterWanted, EndsWhatIsMappedAndLetsTheFunctionGo) {
  WantedDesk desk;
  const auto holding = desk.hold();
  const auto mapped = desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();
  const GrantId mapping{desk.peer(mapped).mapping};
  ASSERT_TRUE(desk.told.empty());

  desk.wanted();
  ASSERT_EQ(desk.told.size(), 1U);
  EXPECT_EQ(desk.told[0].grant, mapping);
  EXPECT_EQ(desk.told[0].lease, GrantId{holding});
  EXPECT_EQ(desk.told[0].what, Tell::What::revoked);
  EXPECT_EQ(desk.told[0].reason, RevokeReason::device_wanted);
  EXPECT_TRUE(desk.deadlines.empty()) << "the kernel does not wait for a client";
  EXPECT_TRUE(desk.has_noted(Journal::What::disabled, "device-wanted"));
  EXPECT_EQ(desk.waiting<Unmap>(), 1U);
  EXPECT_EQ(desk.waiting<CloseTarget>(), 0U) << "closed when nothing maps it any more";

  desk.happens(Unmapped{desk.peer(mapped).mapping, {}});
  EXPECT_EQ(desk.waiting<CloseTarget>(), 1U);
  EXPECT_TRUE(desk.state().targets.empty());
  EXPECT_EQ(desk.state().holdings.size(), 1U) << "the initiator is not what is wanted";
}

TEST(ArbiterWanted, LetsAFunctionGoThatNothingMaps) {
  WantedDesk desk;
  ASSERT_EQ(desk.waiting<CloseTarget>(), 0U);
  desk.wanted();
  EXPECT_EQ(desk.waiting<CloseTarget>(), 1U);
  desk.kernel_works();
  EXPECT_TRUE(desk.told.empty());
}

TEST(ArbiterWanted, GrantsNothingUntilTheFunctionIsClosed) {
  WantedDesk desk;
  const auto holding = desk.hold();
  const auto mapped = desk.map(caller(alice), holding, "0000:04:00.0:2:0x0+0x1000");
  desk.kernel_works();
  ASSERT_TRUE(desk.answer(mapped));
  const auto part = "0000:04:00.0:2:0x1000+0x1000";

  desk.wanted();
  for (int step = 0; step < 2; ++step) {
    SCOPED_TRACE(step == 0 ? "while it is unmapped" : "while it is closed");
    EXPECT_EQ(desk.error(desk.map(caller(alice), holding, part)), ErrorCode::not_enabled);
    EXPECT_EQ(desk.error(desk.enable(peer_name)), ErrorCode::busy);
    EXPECT_EQ(desk.error(desk.enable("0000:04:00.0:2:0x2000+0x1000")), ErrorCode::busy);
    EXPECT_EQ(desk.error(desk.offer(target_device)), ErrorCode::busy);
    if (step == 0) desk.happens(Unmapped{desk.peer(mapped).mapping, {}});
  }
  desk.kernel_works();

  // It was not taken after all.
  const auto again = desk.enable(peer_name);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(again));
}

TEST(ArbiterWanted, DoesNothingTwiceWhenTheKernelAsksAgain) {
  WantedDesk desk;
  const auto holding = desk.hold();
  const auto mapped = desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();
  desk.wanted();
  const auto lines = desk.journal.size();
  ASSERT_EQ(desk.kernel.size(), 1U);
  desk.wanted();
  EXPECT_EQ(desk.kernel.size(), 1U);
  EXPECT_EQ(desk.told.size(), 1U);
  EXPECT_EQ(desk.journal.size(), lines);

  desk.happens(Unmapped{desk.peer(mapped).mapping, {}});
  const auto left = desk.kernel.size();
  desk.wanted();
  desk.happens(TargetClosed{at(target_device)});
  desk.wanted();
  EXPECT_EQ(desk.kernel.size(), left);
}

TEST(ArbiterWanted, EndsAMappingThatIsBeingMade) {
  WantedDesk desk;
  const auto holding = desk.hold();
  const auto mapped = desk.map(caller(alice), holding, peer_name);
  desk.wanted();
  EXPECT_EQ(desk.waiting<CloseTarget>(), 0U);
  desk.kernel_works();
  EXPECT_EQ(desk.error(mapped), ErrorCode::gone);
  EXPECT_TRUE(desk.state().mappings.empty());
  EXPECT_TRUE(desk.state().targets.empty());
}

TEST(ArbiterWanted, DoesNotWaitForADeadlineThatWasGiven) {
  WantedDesk desk;
  const auto holding = desk.hold();
  desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();
  const auto disabled = desk.disable(peer_name, true, std::chrono::seconds{60});
  desk.kernel_works();
  ASSERT_FALSE(desk.is_answered(disabled));
  desk.wanted();
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(disabled));
  EXPECT_TRUE(desk.state().mappings.empty());
}

TEST(ArbiterWanted, LeavesOtherTargetsAlone) {
  WantedDesk desk;
  desk.happens(DeviceWanted{at(other_initiator)});
  EXPECT_TRUE(desk.kernel.empty());
  EXPECT_EQ(desk.state().targets.size(), 1U);
  desk.wanted();
  EXPECT_TRUE(desk.state().targets.empty());
}

}  // namespace
}  // namespace p2pd::test
