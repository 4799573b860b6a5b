// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Initiators that must go: notice, deadline, unmap, and then whoever has not closed the device.
#include "arbiter_scene.h"

namespace p2pd::test {
namespace {

constexpr std::chrono::milliseconds two_seconds{2000};

struct ClearingDesk : ReadyDesk {
  HoldingId holding = hold();

  void wanted() { happens(DeviceWanted{at(initiator)}); }
  // Takes the effect that waits, which must be of this kind.
  template <class Kind>
  Kind take() {
    if (kernel.empty() || !std::holds_alternative<Kind>(kernel.front())) throw std::logic_error("another effect is next");
    Kind effect = std::move(std::get<Kind>(kernel.front()));
    kernel.pop_front();
    return effect;
  }
  // p2pd has unmapped and closed all; what is left to do is the clients'.
  ClearOut close() {
    EXPECT_TRUE(take<CloseHolding>().keeps_device);
    happens(HoldingClosed{holding});
    return take<ClearOut>();
  }
  [[nodiscard]] bool has_revoking() const { return !told.empty() && told.back().what == Tell::What::revoking; }
};

TEST(ArbiterClearing, GivesNoticeBeforeAnUnbindByForce) {
  ClearingDesk desk;
  const auto unbound = desk.unbind(initiator, true);
  ASSERT_EQ(desk.told.size(), 1U);
  EXPECT_TRUE(desk.has_revoking());
  EXPECT_EQ(desk.told[0].reason, RevokeReason::device_wanted);
  EXPECT_EQ(desk.told[0].grace, two_seconds);
  EXPECT_TRUE(desk.kernel.empty()) << "mapped until the deadline";

  desk.happens(DeadlinePassed{desk.holding});
  EXPECT_EQ(desk.told.back().what, Tell::What::revoked);
  const auto clearing = desk.close();
  EXPECT_EQ(clearing.holding, desk.holding);
  EXPECT_EQ(clearing.initiator, at(initiator));
  EXPECT_EQ(clearing.uid, alice);
  EXPECT_TRUE(desk.state().holdings.contains(desk.holding)) << "nobody else gets it";
  EXPECT_EQ(desk.waiting<UnbindFromVfio>(), 0U);

  desk.happens(ClearedOut{desk.holding, true, {}});
  EXPECT_TRUE(desk.has_noted(Journal::What::killed, "pid 42"));
  desk.take<UnbindFromVfio>();
  desk.happens(DriverChanged{unbound, {at(initiator)}, {}});
  EXPECT_TRUE(desk.answer(unbound));
  EXPECT_TRUE(desk.state().holdings.empty());
}

TEST(ArbiterClearing, TakesTheEndOfTheLeaseForTheAnswer) {
  ClearingDesk desk;
  desk.unbind(initiator, true);
  desk.happens(LeaseEnded{desk.holding});
  EXPECT_EQ(desk.close().patience, two_seconds) << "what is left of the deadline, for the device";
  desk.happens(ClearedOut{desk.holding, false, {}});
  EXPECT_FALSE(desk.has_noted(Journal::What::killed, ""));
  EXPECT_EQ(desk.waiting<UnbindFromVfio>(), 1U);
}

// libp2pclient waits for the answer to Release and then closes the device.
TEST(ArbiterClearing, AnswersAReleaseBeforeTheDeviceIsClosed) {
  ClearingDesk desk;
  const auto withdrawn = desk.ask(caller(0), Withdraw{.initiator = at(initiator), .force = true, .grace = two_seconds});
  const auto released = desk.release(caller(alice), desk.holding);
  EXPECT_FALSE(desk.is_answered(released)) << "it is mapped still";
  desk.close();
  EXPECT_TRUE(desk.answer(released));
  EXPECT_TRUE(desk.answer(desk.release(caller(alice), desk.holding)));
  EXPECT_FALSE(desk.is_answered(withdrawn));
  desk.happens(ClearedOut{desk.holding, false, {}});
  EXPECT_TRUE(desk.answer(withdrawn));
}

TEST(ArbiterClearing, LeavesTimeToCloseTheDeviceAfterTheDeadline) {
  ClearingDesk desk;
  desk.unbind(initiator, true);
  desk.now += std::chrono::seconds{3};
  desk.happens(DeadlinePassed{desk.holding});
  EXPECT_EQ(desk.close().patience, std::chrono::milliseconds{500});
}

TEST(ArbiterClearing, NamesWhoHasItStillInsteadOfUnbinding) {
  ClearingDesk desk;
  const auto unbound = desk.unbind(initiator, true);
  desk.happens(DeadlinePassed{desk.holding});
  desk.close();
  desk.happens(ClearedOut{desk.holding, true, {"pid 7 (other), uid 1001"}});
  EXPECT_EQ(desk.error(unbound), ErrorCode::busy);
  EXPECT_NE(desk.answer(unbound).error().text.find("pid 7 (other)"), std::string::npos);
  EXPECT_TRUE(desk.has_noted(Journal::What::ended, "pid 7 (other)"));
  EXPECT_TRUE(desk.kernel.empty()) << "the kernel would wait for it";
  desk.unbind(initiator, true);
  EXPECT_EQ(desk.waiting<UnbindFromVfio>(), 1U) << "it is free for another try";
}

TEST(ArbiterClearing, IsPartOfAWithdrawalByForce) {
  ClearingDesk desk;
  const auto withdrawn = desk.ask(caller(0), Withdraw{.initiator = at(initiator), .force = true});
  EXPECT_EQ(desk.told.back().what, Tell::What::revoked) << "without a grace time at once";
  EXPECT_EQ(desk.close().patience, two_seconds) << "and then there is time to close it";
  EXPECT_FALSE(desk.is_answered(withdrawn));
  desk.happens(ClearedOut{desk.holding, false, {"pid 7 (other), uid 1001"}});
  EXPECT_EQ(desk.error(withdrawn), ErrorCode::busy);
  EXPECT_FALSE(desk.state().offers.contains(at(initiator))) << "withdrawn it is";
}

TEST(ArbiterClearing, LeavesTheGraceOfAWithdrawalToTheClient) {
  ClearingDesk desk;
  const auto withdrawn =
      desk.ask(caller(0), Withdraw{.initiator = at(initiator), .force = true, .grace = std::chrono::seconds{60}});
  EXPECT_EQ(desk.told.back().grace, std::chrono::seconds{60});
  desk.happens(LeaseEnded{desk.holding});
  EXPECT_EQ(desk.close().patience, two_seconds) << "it has said that it is done";
  desk.happens(ClearedOut{desk.holding, false, {}});
  EXPECT_TRUE(desk.answer(withdrawn));
}

TEST(ArbiterClearing, IsNotForReleaseNorRevoke) {
  ClearingDesk desk;
  desk.release(caller(alice), desk.holding);
  EXPECT_FALSE(desk.take<CloseHolding>().keeps_device);
  desk.happens(HoldingClosed{desk.holding});
  EXPECT_TRUE(desk.kernel.empty());

  const auto again = desk.hold();
  desk.ask(caller(0), Revoke{.grant = again, .why = "maintenance"});
  EXPECT_FALSE(desk.take<CloseHolding>().keeps_device);
}

TEST(ArbiterClearing, BeginsWhenTheKernelWaitsForTheFunction) {
  ClearingDesk desk;
  desk.wanted();
  EXPECT_TRUE(desk.has_revoking());
  EXPECT_EQ(desk.told.back().reason, RevokeReason::device_wanted);
  EXPECT_TRUE(desk.has_noted(Journal::What::revoked, "unbound or pulled out"));
  const auto lines = desk.journal.size();
  desk.wanted();
  EXPECT_EQ(desk.told.size(), 1U) << "it is looked at every second";
  EXPECT_EQ(desk.deadlines.size(), 1U);
  EXPECT_EQ(desk.journal.size(), lines);

  desk.happens(DeadlinePassed{desk.holding});
  desk.close();
  desk.wanted();
  desk.happens(ClearedOut{desk.holding, false, {}});
  EXPECT_TRUE(desk.state().holdings.empty());
  EXPECT_TRUE(desk.kernel.empty()) << "it is not p2pd that unbinds";
}

// The picture may say so before the watch does.
TEST(ArbiterClearing, BeginsWhenTheInitiatorHasNoDriver) {
  ClearingDesk desk;
  Machine machine = redirecting_switch();
  auto functions = machine.functions();
  for (auto& function : functions)
    if (function.address == at(initiator)) function.driver = "";
  desk.becomes(Machine(machine.host(), std::move(functions)));
  EXPECT_TRUE(desk.has_revoking());
  desk.wanted();
  EXPECT_EQ(desk.told.size(), 1U);
  desk.happens(DeadlinePassed{desk.holding});
  desk.close();
}

TEST(ArbiterClearing, LeavesOtherHoldingsAlone) {
  ClearingDesk desk;
  const auto other = desk.hold(caller(bob), other_initiator);
  desk.wanted();
  desk.happens(DeadlinePassed{desk.holding});
  desk.kernel_works();
  EXPECT_EQ(desk.state().holdings.size(), 1U);
  EXPECT_EQ(desk.state().holdings.at(other).phase, GrantPhase::active);
}

TEST(ArbiterClearing, EndsWhatIsBeingLent) {
  ReadyDesk desk;
  const auto acquired = desk.acquire(caller(alice), initiator);
  const auto unbound = desk.unbind(initiator, true);
  desk.happens(HoldingOpened{HoldingId{1}, AddressSpace{{}, "vfio-type1"}});
  EXPECT_EQ(desk.error(acquired), ErrorCode::gone);
  desk.kernel.erase(desk.kernel.begin());  // OpenHolding
  ASSERT_EQ(desk.waiting<CloseHolding>(), 1U);
  EXPECT_TRUE(std::get<CloseHolding>(desk.kernel.front()).keeps_device) << "the client has it already";
  desk.kernel_works();
  EXPECT_TRUE(desk.answer(unbound));
}

TEST(ArbiterClearing, DoesNotKeepP2pdFromLeaving) {
  ClearingDesk desk;
  const auto withdrawn = desk.ask(caller(0), Withdraw{.initiator = at(initiator), .force = true});
  desk.close();
  desk.happens(StopRequested{});
  desk.kernel_works();
  EXPECT_TRUE(desk.has_left) << "whoever hangs is not waited for";
  EXPECT_TRUE(desk.is_answered(withdrawn));
  desk.happens(ClearedOut{desk.holding, true, {}});  // comes after all: the desk fails on a second answer
}

}  // namespace
}  // namespace p2pd::test
