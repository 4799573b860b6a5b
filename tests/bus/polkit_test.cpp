// SPDX-License-Identifier: LGPL-2.1-or-later
//
// polkit may hang, die, be away or talk nonsense: only who asked something of it notices.
#include "harness/scene.h"

namespace p2pd::test {
namespace {

class Polkit : public Scene {
 protected:
  explicit Polkit(const std::string& configuration = "") : Scene(configuration) {}
  void SetUp() override { set_up_the_usual_pair(); }

  static Client::Call acquire_call(const Lease& lease, const char* address = initiator) {
    return {.path = "/org/p2pd1", .method = "org.p2pd1.Manager.Acquire", .arguments = {address, lease.theirs(), Options{}}};
  }
};

TEST_F(Polkit, ThatHangsDelaysOnlyTheOneWhoAsked) {
  polkit.hang();
  const Lease lease;
  const auto ticket = alice.start(acquire_call(lease));
  alice.flush();
  (void)polkit.wait_for_question();
  bob.ping();
  EXPECT_EQ(bob.check(initiator, target_bar).error, "");
  EXPECT_EQ(root.offer(other_initiator).error, "");
  alice.ping();
  EXPECT_FALSE(ticket->has_value());
  polkit.answer_all();
  EXPECT_EQ(alice.finish(ticket).error, "");
}

TEST_F(Polkit, IsToldThatTheCallerVanished) {
  const auto before = traces();
  polkit.hang();
  Lease lease;
  {
    Client short_lived(bus, alice_uid);
    (void)short_lived.start(acquire_call(lease));
    short_lived.flush();
    lease.close_theirs();
    const auto question = polkit.wait_for_question();
    EXPECT_TRUE(lease.is_quiet()) << "p2pd has it now";
    short_lived.vanish();
    polkit.wait_for_cancel(question.cancellation_id);
  }
  lease.wait_for_end();
  expect_no_trace_since(before);
}

TEST_F(Polkit, ThatDiesMeanwhileIsARefusal) {
  polkit.hang();
  const auto before = traces();
  const Lease lease;
  const auto ticket = alice.start(acquire_call(lease));
  alice.flush();
  (void)polkit.wait_for_question();
  polkit.die();
  EXPECT_EQ(alice.finish(ticket).error, "NotPermitted");
  expect_no_trace_since(before);

  polkit.come_back();
  (void)acquire(alice, initiator);
}

TEST_F(Polkit, ThatIsAwayLeavesOnlyRoot) {
  polkit.die();
  const Lease lease;
  const auto answer = alice.acquire(initiator, lease);
  EXPECT_EQ(answer.error, "NotPermitted");
  EXPECT_NE(answer.text.find("polkit"), std::string::npos) << answer;
  (void)acquire(root, initiator);
}

TEST_F(Polkit, ThatTalksNonsenseIsARefusal) {
  (void)alice.release(acquire(alice, initiator).path).granted();
  polkit.talk_nonsense();
  const Lease lease;
  EXPECT_EQ(alice.acquire(initiator, lease).error, "Failed");
  EXPECT_EQ(root.grants(), std::set<std::string>{});
}

TEST_F(Polkit, MayTakeItsTimeButTheWorldIsLookedAtAgainAfterwards) {
  polkit.hang();
  const Lease lease;
  const auto ticket = alice.start(acquire_call(lease));
  alice.flush();
  (void)polkit.wait_for_question();
  (void)root.withdraw(initiator).granted();
  polkit.answer_all();
  EXPECT_EQ(alice.finish(ticket).error, "NotOffered");
}

TEST_F(Polkit, MayTakeItsTimeButTheLeaseMustStillBeHeldAfterwards) {
  use_the_usual_pair_once();
  const auto asked = polkit.questions().size();
  const auto before = traces();
  polkit.hang();
  Lease lease;
  const auto ticket = alice.start(acquire_call(lease));
  alice.flush();
  (void)polkit.wait_for_question(asked + 1);
  lease.close();
  lease.close_theirs();
  polkit.answer_all();
  EXPECT_EQ(alice.finish(ticket).error, "Gone");
  expect_no_trace_since(before);
}

class RequestQuota : public Polkit {
 protected:
  RequestQuota() : Polkit("[limits]\nrequests = 2\n") {}
};

TEST_F(RequestQuota, LimitsWhatOneUserHasInFlightAndNobodyElse) {
  polkit.hang();
  // Each for one request: p2pd shuts what it is given.
  const Lease leases[6];
  Client alice_again(bus, alice_uid);
  const auto first = alice.start(acquire_call(leases[0]));
  const auto second = alice.start(acquire_call(leases[1]));
  alice.flush();
  (void)polkit.wait_for_question(2);
  EXPECT_EQ(alice.call(acquire_call(leases[2])).error, "QuotaExceeded");
  EXPECT_EQ(alice_again.call(acquire_call(leases[3])).error, "QuotaExceeded") << "it is the user who counts";
  const auto of_bob = bob.start(acquire_call(leases[4]));
  bob.flush();
  (void)polkit.wait_for_question(3);
  EXPECT_EQ(root.statistics()["requests_in_flight"], 3);

  polkit.answer_all();
  const std::multiset<std::string> errors{alice.finish(first).error, alice.finish(second).error, bob.finish(of_bob).error};
  EXPECT_EQ(errors, (std::multiset<std::string>{"", "Busy", "Busy"}));
  EXPECT_EQ(root.statistics()["requests_in_flight"], 0);
  EXPECT_EQ(alice.call(acquire_call(leases[5])).error, "Busy") << "there is room again";
}

}  // namespace
}  // namespace p2pd::test
