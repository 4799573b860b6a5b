// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A dma-buf ends with the whole function: nothing else of it is in use meanwhile, and afterwards it is opened again.
#include "arbiter_scene.h"

namespace p2pd::test {

namespace {

constexpr auto peer_device = "0000:04:00.0";

struct ExportedDesk : ReadyDesk {
  RequestId request = export_dma_buf(caller(alice), peer_name);
  MappingId mapping = [this] {
    kernel_works();
    return exported(request);
  }();
};

TEST(ArbiterExport, IsAMappingWithoutAHolding) {
  const ExportedDesk desk;
  const auto& mapping = desk.state().mappings.at(desk.mapping);
  EXPECT_FALSE(mapping.holding);
  EXPECT_EQ(mapping.phase, GrantPhase::active);
  EXPECT_EQ(mapping.owner.uid, alice);
}

TEST(ArbiterExport, IsOfEnabledTargetsOnly) {
  Desk desk(redirecting_switch());
  EXPECT_EQ(desk.error(desk.export_dma_buf(caller(alice), peer_name)), ErrorCode::not_enabled);
  desk.enable(peer_name);
  desk.kernel_works();
  desk.export_dma_buf(caller(alice), peer_name);
  EXPECT_EQ(desk.waiting<ExportBar>(), 1U);
}

TEST(ArbiterExport, NeedsATargetThatMayBeReadAndWritten) {
  Desk desk(redirecting_switch());
  desk.ask(caller(0), Enable{.target = target(peer_name), .access = Access::read});
  desk.kernel_works();
  EXPECT_EQ(desk.error(desk.export_dma_buf(caller(alice), peer_name)), ErrorCode::not_permitted);
}

TEST(ArbiterExport, IsRefusedWhileTheFunctionIsInUse) {
  ReadyDesk desk;
  const auto holding = desk.hold();
  const auto mapped = desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();
  const auto refused = desk.export_dma_buf(caller(alice), peer_name);
  EXPECT_EQ(desk.error(refused), ErrorCode::busy);
  EXPECT_NE(desk.answer(refused).error().text.find(name_of(desk.peer(mapped).mapping)), std::string::npos);

  desk.release(caller(alice), desk.peer(mapped).mapping);
  desk.kernel_works();
  desk.export_dma_buf(caller(alice), peer_name);
  EXPECT_EQ(desk.waiting<ExportBar>(), 1U);
}

TEST(ArbiterExport, KeepsTheFunctionToItself) {
  ExportedDesk desk;
  const auto holding = desk.hold();
  EXPECT_EQ(desk.error(desk.map(caller(alice), holding, peer_name)), ErrorCode::busy);
  EXPECT_EQ(desk.error(desk.export_dma_buf(caller(alice), peer_name)), ErrorCode::busy);
  EXPECT_EQ(desk.error(desk.disable(peer_name)), ErrorCode::busy);
}

TEST(ArbiterExport, EndsByClosingAndOpensTheFunctionAgain) {
  ExportedDesk desk;
  const auto holding = desk.hold();
  const auto released = desk.release(caller(alice), desk.mapping);
  EXPECT_EQ(desk.waiting<EndExport>(), 1U);
  EXPECT_FALSE(desk.is_answered(released));
  EXPECT_EQ(desk.error(desk.map(caller(alice), holding, peer_name)), ErrorCode::busy) << "not while it is being closed";
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(released));
  EXPECT_TRUE(desk.state().mappings.empty());
  EXPECT_EQ(desk.state().targets.size(), 1U);
  const auto mapped = desk.map(caller(alice), holding, peer_name);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(mapped)) << "it is a target as before";
}

TEST(ArbiterExport, EndsWithItsLease) {
  ExportedDesk desk;
  desk.happens(LeaseEnded{desk.mapping});
  EXPECT_EQ(desk.waiting<EndExport>(), 1U);
  desk.kernel_works();
  EXPECT_TRUE(desk.state().mappings.empty());
}

TEST(ArbiterExport, EndsWithItsTarget) {
  ExportedDesk desk;
  const auto disabled = desk.ask(caller(0), Disable{.target = target(peer_name), .force = true});
  EXPECT_EQ(desk.waiting<EndExport>(), 1U);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(disabled));
  EXPECT_TRUE(desk.state().targets.empty());
  desk.enable(peer_name);
  EXPECT_EQ(desk.waiting<OpenTarget>(), 1U) << "it was closed, and not opened again";
}

TEST(ArbiterExport, TakesTheTargetWithItWhenTheFunctionDoesNotOpenAgain) {
  ExportedDesk desk;
  desk.release(caller(alice), desk.mapping);
  desk.happens(Unmapped{desk.mapping, {}});
  desk.kernel.clear();
  desk.happens(TargetClosed{at(peer_device)});
  ASSERT_EQ(desk.waiting<OpenTarget>(), 1U);
  const auto disabled = desk.disable(peer_name);
  EXPECT_FALSE(desk.is_answered(disabled));
  desk.kernel_fails("EBUSY");
  EXPECT_TRUE(desk.answer(disabled));
  EXPECT_TRUE(desk.state().targets.empty());
}

TEST(ArbiterExport, OpensNothingAgainThatWasWantedMeanwhile) {
  ExportedDesk desk;
  desk.release(caller(alice), desk.mapping);
  desk.happens(Unmapped{desk.mapping, {}});
  desk.kernel.clear();
  desk.happens(TargetClosed{at(peer_device)});
  ASSERT_EQ(desk.waiting<OpenTarget>(), 1U);
  desk.happens(DeviceWanted{at(peer_device)});
  desk.kernel_works();
  EXPECT_TRUE(desk.state().targets.empty());
  desk.happens(StopRequested{});
  EXPECT_TRUE(desk.has_left) << "it is closed";
}

TEST(ArbiterExport, IsOverWhenTheKernelCannot) {
  ReadyDesk desk;
  const auto request = desk.export_dma_buf(caller(alice), peer_name);
  desk.kernel_fails("no dma-buf");
  EXPECT_EQ(desk.error(request), ErrorCode::failed);
  EXPECT_TRUE(desk.state().mappings.empty());
  desk.export_dma_buf(caller(alice), peer_name);
  EXPECT_EQ(desk.waiting<ExportBar>(), 1U);
}

TEST(ArbiterExport, EndsWhenP2pdStops) {
  ExportedDesk desk;
  desk.happens(StopRequested{});
  desk.kernel_works();
  EXPECT_TRUE(desk.has_left);
  EXPECT_EQ(desk.waiting<OpenTarget>(), 0U);
}

TEST(ArbiterExport, IsTakenBackBeforeAReset) {
  ExportedDesk desk;
  EXPECT_EQ(desk.error(desk.reset(peer_device)), ErrorCode::busy);
  const auto reset = desk.reset(peer_device, true);
  EXPECT_EQ(desk.waiting<EndExport>(), 1U);
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(reset));
  EXPECT_EQ(desk.state().targets.size(), 1U);
}

}  // namespace

}  // namespace p2pd::test
