// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Files that are slow to close, however a client passes them: nobody else waits for that.
#include <signal.h>

#include <chrono>

#include "harness/fuse_file.h"
#include "harness/scene.h"
#include "lingering.h"

namespace p2pd::test {
namespace {

struct Way {
  const char* name;
  std::function<void(Client&, const std::string& holding, Fd)> pass;
};
std::ostream& operator<<(std::ostream& stream, const Way& way) { return stream << way.name; }

Client::Call manager(const char* method, Arguments arguments) {
  return {.path = "/org/p2pd1", .method = std::string("org.p2pd1.Manager.") + method, .arguments = std::move(arguments)};
}

const Way ways[] = {
    {"AsALease",
     [](Client& client, const std::string&, Fd file) { (void)client.start(manager("Acquire", {initiator, file, Options{}})); }},
    {"AsMemory",
     [](Client& client, const std::string& holding, Fd file) {
       (void)client.start(manager("MapMemory", {Path{holding}, file, std::uint64_t{0}, std::uint64_t{0x1000}, Options{}}));
     }},
    {"AsALeaseOfAMapping",
     [](Client& client, const std::string& holding, Fd file) {
       (void)client.start(manager("Map", {Path{holding}, target_bar, Options{{"lease", file}}}));
     }},
    {"AsAnUnknownOption",
     [](Client& client, const std::string&, Fd file) {
       (void)client.start(manager("Check", {initiator, target_bar, Options{{"nonsense", file}}}));
     }},
    {"InACallWithAnotherSignature",
     [](Client& client, const std::string&, Fd file) { (void)client.start(manager("Acquire", {file, file, file})); }},
    {"InACallOfNoMethod", [](Client& client, const std::string&, Fd file) { (void)client.start(manager("Nothing", {file})); }},
    {"InASignal", [](Client& client, const std::string&, Fd file) { client.send_signal(manager("Nonsense", {file})); }},
};

class ForeignFiles : public Scene {
 protected:
  void SetUp() override {
    set_up_the_usual_pair();
    (void)root.offer(other_initiator).granted();
    (void)Scene::acquire(bob, other_initiator);
    held = acquire(alice, initiator);
  }

  void expect_that_bob_is_served() {
    const auto begin = std::chrono::steady_clock::now();
    bob.ping();
    const auto own = acquire(bob, other_initiator);
    EXPECT_EQ(bob.release(own.path).error, "");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{2});
  }

  Held held;
};

class ForeignFile : public ForeignFiles, public testing::WithParamInterface<Way> {};

TEST_P(ForeignFile, ThatNobodyAnswersForBlocksNobody) {
  const auto before = traces();
  const auto fuse = FuseFile::mount(directory.path(), daemon->process().pid());
  ASSERT_TRUE(fuse) << "FUSE cannot be mounted here";
  {
    const auto file = fuse->open();
    GetParam().pass(alice, held.path, {file.get()});
    alice.flush();
  }
  eventually("p2pd closes it", [&] { return fuse->stuck_closes() != 0; });
  expect_that_bob_is_served();
  EXPECT_NE(fuse->stuck_closes(), 0);
  fuse->let_go();
  expect_no_trace_since(before);
}

TEST_P(ForeignFile, ThatLingersBlocksNobody) {
  const auto before = traces();
  auto lingering = make_lingering();
  // Whoever closes it last waits: that is to be p2pd.
  daemon->process().send(SIGSTOP);
  GetParam().pass(alice, held.path, {lingering.socket.get()});
  alice.flush();
  for (int round_trips = 0; round_trips < 3; ++round_trips) const Client another(bus, alice_uid);
  lingering.socket.reset();
  daemon->process().send(SIGCONT);
  root.ping();
  expect_that_bob_is_served();
  lingering.peer.reset();
  expect_no_trace_since(before);
}

TEST_F(ForeignFiles, BlockNobodyInLargeNumbers) {
  const auto before = traces();
  const auto fuse = FuseFile::mount(directory.path(), daemon->process().pid());
  ASSERT_TRUE(fuse) << "FUSE cannot be mounted here";
  constexpr int more_than_it_has_threads_for = 50;
  for (int count = 0; count < more_than_it_has_threads_for; ++count) {
    const auto file = fuse->open();
    EXPECT_EQ(alice.acquire(initiator, Fd{file.get()}).error, "InvalidArgument");
  }
  expect_that_bob_is_served();
  fuse->let_go();
  expect_no_trace_since(before);
}

INSTANTIATE_TEST_SUITE_P(Passed, ForeignFile, testing::ValuesIn(ways),
                         [](const auto& way) { return std::string(way.param.name); });

}  // namespace
}  // namespace p2pd::test
