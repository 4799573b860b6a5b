// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory of a kernel driver on its way to a client: scrubbed, noted, sent.
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "effects_desk.h"
#include "fake_sysfs.h"
#include "state/lent_pools.h"

namespace p2pd {
namespace {

using testing::Contains;
using testing::IsEmpty;

struct PeerMemoryEffects : EffectsDesk, testing::Test {
  PeerMemoryEffects() {
    tree.add({.address = target, .driver = "nvme"});
    tree.register_peer_memory(target, 0x4000);
    allocate = tree.device(target) / "p2pmem/allocate";
    std::filesystem::create_directories(run);
    runner = std::make_unique<Runner>(
        Runner::Parts{.loop = loop.get(),
                      .back_ends = {vfio},
                      .store = &store,
                      .driver_paths = {.sysfs_root = tree.sysfs(), .proc_root = "/nonexistent", .vfio_directory = "/nonexistent"},
                      .runtime_directory = run,
                      .post = [this](Event event) { events.push_back(std::move(event)); },
                      .path_of = [](const GrantId&) { return "/org/p2pd1/mapping/9"; },
                      .fail = [this](std::string_view step) { return !failing_step.empty() && step == failing_step; }});
    fill('x');
  }
  ~PeerMemoryEffects() override { runner.reset(); }

  void fill(char what) const {
    std::ofstream(allocate, std::ios::in | std::ios::out | std::ios::binary) << std::string(0x4000, what);
  }
  [[nodiscard]] std::string contents() const {
    std::ifstream stream(allocate, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  [[nodiscard]] std::uint64_t pool() const {
    struct stat status{};
    EXPECT_EQ(::stat(allocate.c_str(), &status), 0);
    return status.st_ino;
  }
  Outcome<void> lend(LeaseClient& to, std::uint64_t what) {
    // All of it: a plain file gives the same pages to each mmap.
    runner->run(LendPeerMemory{MappingId{9}, target, what, Bytes{0x4000}, 1000, lease_of(to)});
    return next<Mapped>().outcome;
  }
  void end() {
    runner->run(EndPeerMemory{MappingId{9}});
    EXPECT_TRUE(next<Unmapped>().outcome);
  }

  test::FakeSysfs tree;
  std::filesystem::path run = tree.top() / "run";
  std::filesystem::path allocate;
  LeaseClient client;
};

TEST_F(PeerMemoryEffects, SendScrubbedMemoryAndNoteWhoHasIt) {
  ASSERT_EQ(contents(), std::string(0x4000, 'x'));
  const auto outcome = lend(client, pool());
  ASSERT_TRUE(outcome) << outcome.error().text;
  EXPECT_TRUE(contents() == std::string(0x4000, '\0'));
  EXPECT_EQ(read_lent_pools(run), (std::map<Address, LentPool>{{target, LentPool{pool(), 1000}}}));
  EXPECT_THAT(store.names(), Contains("m9.l"));
  auto message = client.receive().value();
  EXPECT_EQ(nlohmann::json::parse(message.text), (nlohmann::json{{"event", "fds"}, {"grant", "/org/p2pd1/mapping/9"}}));
  ASSERT_EQ(message.fds.size(), 1U);
  void* const piece = ::mmap(nullptr, page.value, PROT_READ | PROT_WRITE, MAP_SHARED, message.fds[0].get(), 0);
  ASSERT_NE(piece, MAP_FAILED);
  static_cast<char*>(piece)[0] = 'c';
  EXPECT_EQ(contents()[0], 'c');
  ::munmap(piece, page.value);

  end();
  EXPECT_TRUE(has_hung_up(client.socket()));
  EXPECT_THAT(store.names(), IsEmpty());
  EXPECT_EQ(read_lent_pools(run).size(), 1U) << "whoever had it may have it still";
}

TEST_F(PeerMemoryEffects, TellThatTheClientIsGone) {
  ASSERT_TRUE(lend(client, pool()));
  client.close();
  EXPECT_EQ(next<LeaseEnded>().grant, GrantId{MappingId{9}});
  end();
}

TEST_F(PeerMemoryEffects, LendNoOtherPoolThanWasEnabled) {
  EXPECT_EQ(lend(client, pool() + 1).error().code, ErrorCode::gone);
  EXPECT_TRUE(has_hung_up(client.socket()));
  EXPECT_EQ(contents(), std::string(0x4000, 'x')) << "it is somebody's";
}

TEST_F(PeerMemoryEffects, LeaveNothingOfWhatFails) {
  for (const auto* step : {"open the pool", "scrub", "check lease", "note who is lent it", "keep m9.l", "send the pool"}) {
    failing_step = step;
    LeaseClient other;
    const auto outcome = lend(other, pool());
    ASSERT_FALSE(outcome) << step;
    EXPECT_TRUE(has_hung_up(other.socket())) << step;
    EXPECT_THAT(store.names(), IsEmpty()) << step;
    EXPECT_TRUE(read_lent_pools(run).empty()) << step;
  }
  failing_step = "";
  EXPECT_TRUE(lend(client, pool()));
  end();
  failing_step = "send the pool";
  LeaseClient again;
  EXPECT_FALSE(lend(again, pool()));
  EXPECT_EQ(read_lent_pools(run).size(), 1U) << "that it was lent before stays true";
}

}  // namespace
}  // namespace p2pd
