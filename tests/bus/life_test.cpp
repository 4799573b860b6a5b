// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2pd as a service: it starts, reads its configuration again, and gives everything back before it goes.
#include <signal.h>

#include <algorithm>

#include "harness/scene.h"

namespace p2pd::test {
namespace {

class Life : public Scene {
 protected:
  explicit Life(const std::string& configuration = "") : Scene(configuration) {}
};

TEST_F(Life, EndsWithEverythingGivenBack) {
  set_up_the_usual_pair();
  const auto held = acquire(alice, initiator);
  (void)alice.map(held.path, target_bar).granted();
  ASSERT_EQ(daemon->address_spaces().at(initiator).size(), 1U);

  daemon->process().send(SIGTERM);
  daemon->wait_for_state("STOPPING=1");
  const auto notice = held.lease.next();
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->body, (Value::Dict{{"event", "revoked"}, {"grant", held.path}, {"reason", "stopping"}}));
  held.lease.wait_for_end();
  EXPECT_EQ(daemon->process().wait(), 0);

  EXPECT_TRUE(daemon->address_spaces().empty());
  const auto steps = daemon->vfio();
  const auto place_of = [&](const std::string& step) {
    const auto found = std::find(steps.begin(), steps.end(), step + " " + initiator);
    EXPECT_NE(found, steps.end()) << step;
    return found - steps.begin();
  };
  EXPECT_LT(place_of("unmap-all"), place_of("close")) << "closing alone unmaps nothing while alice has the device";
  daemon.reset();
}

TEST_F(Life, EndsAtOnceWhenThereIsNothingToGiveBack) {
  daemon->process().send(SIGINT);
  EXPECT_EQ(daemon->process().wait(), 0);
  daemon.reset();
}

TEST_F(Life, GivesWhatIsStillBeingMadeBackToo) {
  set_up_the_usual_pair();
  const auto gate = daemon->block("open");
  const Lease lease;
  const auto ticket = alice.start(
      {.path = "/org/p2pd1", .method = "org.p2pd1.Manager.Acquire", .arguments = {initiator, lease.theirs(), Options{}}});
  alice.flush();
  gate->wait_until_reached();
  daemon->process().send(SIGTERM);
  daemon->wait_for_state("STOPPING=1");
  EXPECT_TRUE(daemon->is_alive());
  gate->open();
  EXPECT_EQ(alice.finish(ticket).error, "Gone");
  EXPECT_EQ(daemon->process().wait(), 0);
  EXPECT_TRUE(daemon->address_spaces().empty());
  daemon.reset();
}

TEST_F(Life, IsLivedOncePerBus) {
  TemporaryDirectory elsewhere;
  try {
    const DaemonProcess second({.bus = bus.address(),
                                .directory = elsewhere.path(),
                                .sysfs_root = tree.sysfs(),
                                .proc_root = tree.top() / "proc",
                                .configuration = ""});
    FAIL() << "a second p2pd started";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("another p2pd runs"), std::string::npos) << error.what();
  }
  root.ping();
}

class OneHolding : public Life {
 protected:
  OneHolding() : Life("[limits]\nholdings = 1\n") {}
  void SetUp() override {
    set_up_the_usual_pair();
    (void)root.offer(other_initiator).granted();
    held = acquire(alice, initiator);
  }
  std::string error_of_another() {
    const Lease lease;
    return alice.acquire(other_initiator, lease).error;
  }
  void hang_up() {
    daemon->process().send(SIGHUP);
    daemon->wait_for_state("RELOADING=1");
    daemon->wait_for_state("READY=1");
  }

  Held held;
};

TEST_F(OneHolding, IsAllUntilTheConfigurationSaysOtherwise) {
  ASSERT_EQ(error_of_another(), "QuotaExceeded");
  daemon->configure("[limits]\nholdings = 2\n");
  EXPECT_EQ(error_of_another(), "QuotaExceeded") << "nobody asked to read it again";
  hang_up();
  EXPECT_EQ(error_of_another(), "");
  EXPECT_TRUE(root.grants().contains(held.path)) << "what was granted stays";
}

TEST_F(OneHolding, StaysWhenTheNewConfigurationIsBroken) {
  daemon->configure("[limits]\nholdings = 2\nmapings = 7\n");
  hang_up();
  EXPECT_EQ(error_of_another(), "QuotaExceeded");
  EXPECT_NE(daemon->log().find("p2pd.toml:3: "), std::string::npos) << "file and line are in the log";

  const auto answer = root.call({.path = "/org/p2pd1", .method = "org.p2pd1.Manager.Reload", .arguments = {}});
  EXPECT_EQ(answer.error, "Failed");
  EXPECT_NE(answer.text.find("p2pd.toml:3: "), std::string::npos) << answer;
  EXPECT_EQ(error_of_another(), "QuotaExceeded");
}

class BrokenConfiguration : public Life {
 protected:
  BrokenConfiguration() : Life("[limits\n") {}
};

TEST_F(BrokenConfiguration, AtTheStartMeansDefaults) {
  EXPECT_NE(daemon->log().find("p2pd.toml:1: "), std::string::npos);
  set_up_the_usual_pair();
  (void)acquire(alice, initiator);
}

}  // namespace
}  // namespace p2pd::test
