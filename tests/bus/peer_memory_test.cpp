// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory that a kernel driver registered: for whoever may, alone, scrubbed, and for no other user until the driver was unbound.
#include <sys/mman.h>

#include <cstring>
#include <fstream>

#include "config_space_builder.h"
#include "harness/scene.h"

namespace p2pd::test {
namespace {

constexpr const char* nvme = "0000:00:1e.0";
constexpr const char* pool_bar = "0000:00:1e.0:2";
constexpr std::uint64_t pool_size = 0x10000;

class PeerMemory : public Scene {
 protected:
  PeerMemory() {
    auto config = ConfigSpaceBuilder().ids(0x1d1d, 0x0400).class_code(0x010802).command(6).bar32(2, 0xc0800000);
    config.pcie(0);
    tree.add({.address = address,
              .config = config.bytes(),
              .bars = {{2, 0xc0800000, 0x20000, memory_bar}},
              .driver = "nvme",
              .group = 91});
    tree.register_peer_memory(address, pool_size);
    look_again();
    for (const auto uid : {alice_uid, bob_uid}) polkit.allow("allocate-peer-memory", uid);
  }

  void look_again() { (void)root.call({.path = "/org/p2pd1", .method = "org.p2pd1.Manager.Reload", .arguments = {}}).granted(); }
  static Answer allocate(Client& client, const Lease& lease, std::uint64_t length = 0x1000) {
    return client.call({.path = "/org/p2pd1",
                        .method = "org.p2pd1.Manager.AllocatePeerMemory",
                        .arguments = {pool_bar, length, lease.theirs(), Options{}}});
  }
  [[nodiscard]] std::filesystem::path allocate_file() const { return tree.device(address) / "p2pmem/allocate"; }
  [[nodiscard]] std::string contents() const {
    std::ifstream stream(allocate_file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  const Address address = *Address::parse(nvme);
};

TEST_F(PeerMemory, ComesOverTheLeaseScrubbed) {
  (void)root.enable(pool_bar).granted();
  std::ofstream(allocate_file(), std::ios::in | std::ios::out | std::ios::binary) << "the last user's";
  Lease lease;
  const auto mapping = allocate(alice, lease).granted()[0].text();
  const auto notice = lease.next();
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->body, (Value::Dict{{"event", "fds"}, {"grant", mapping}}));
  EXPECT_EQ(contents(), std::string(pool_size, '\0'));
  void* const piece = ::mmap(nullptr, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, notice->fd.get(), 0);
  ASSERT_NE(piece, MAP_FAILED);
  std::memcpy(piece, "alice", 5);
  ::munmap(piece, 0x1000);
  EXPECT_EQ(contents().substr(0, 5), "alice");

  EXPECT_EQ(root.grants(), std::set<std::string>{mapping});
  auto shown = root.properties(mapping);
  EXPECT_EQ(shown["Holding"], "/");
  EXPECT_EQ(shown["Kind"], "peer-memory");
  EXPECT_EQ(shown["Length"], std::uint64_t{0x1000});
  EXPECT_EQ(alice.release(mapping).error, "");
  lease.wait_for_end();
  EXPECT_TRUE(root.grants().empty());
}

TEST_F(PeerMemory, IsToldAsABackEndWhereADriverRegisteredSome) {
  const auto back_ends = [&] { return root.properties("/org/p2pd1")["Backends"]; };
  EXPECT_EQ(back_ends(), (Value::List{"vfio-type1", "p2pmem"}));
  tree.unregister_peer_memory(address);
  look_again();
  EXPECT_EQ(back_ends(), (Value::List{"vfio-type1"}));
}

TEST_F(PeerMemory, IsForAdministrators) {
  (void)root.enable(pool_bar).granted();
  Client carol(bus, carol_uid);
  const Lease lease;
  EXPECT_EQ(allocate(carol, lease).error, "NotPermitted");
  EXPECT_EQ(polkit.last_question().action, "org.p2pd1.allocate-peer-memory");
  EXPECT_TRUE(root.grants().empty());
}

TEST_F(PeerMemory, IsForOneAtATime) {
  (void)root.enable(pool_bar).granted();
  const Lease first;
  const auto mapping = allocate(alice, first).granted()[0].text();
  const Lease second;
  EXPECT_EQ(allocate(bob, second).error, "Busy");
  const Lease third;
  EXPECT_EQ(allocate(alice, third).error, "Busy");
  EXPECT_EQ(alice.release(mapping).error, "");
  const Lease fourth;
  EXPECT_EQ(allocate(alice, fourth).error, "");
}

TEST_F(PeerMemory, IsAsLongAsTheDriverHasOfIt) {
  (void)root.enable(pool_bar).granted();
  const auto error = [&](std::uint64_t length) {
    const Lease lease;
    return allocate(alice, lease, length).error;
  };
  EXPECT_EQ(error(0), "InvalidArgument");
  EXPECT_EQ(error(0x1800), "InvalidArgument");
  EXPECT_EQ(error(pool_size + 0x1000), "InvalidArgument");
  EXPECT_EQ(error(std::uint64_t{1} << 63), "InvalidArgument");
  EXPECT_TRUE(root.grants().empty());
  const Lease lease;
  EXPECT_EQ(allocate(alice, lease, pool_size).error, "");
}

TEST_F(PeerMemory, EndsWithItsClientAndGoesToNoOtherUser) {
  (void)root.enable(pool_bar).granted();
  {
    Lease lease;
    (void)allocate(alice, lease).granted();
    lease.close_theirs();
  }
  eventually("the grant has ended", [&] { return root.grants().empty(); });
  const Lease second;
  EXPECT_EQ(allocate(bob, second).error, "Busy") << "alice may have it still";

  // Nor does the next life of p2pd give it to bob.
  ASSERT_TRUE(std::filesystem::exists(directory.path() / "run" / (std::string("lent-pool-") + nvme)));

  // The driver is unbound and bound again.
  tree.unregister_peer_memory(address);
  tree.register_peer_memory(address, pool_size);
  look_again();
  const Lease third;
  EXPECT_EQ(allocate(bob, third).error, "NotEnabled") << "that was for what is gone";
  (void)root.enable(pool_bar).granted();
  const Lease fourth;
  EXPECT_EQ(allocate(bob, fourth).error, "");
}

TEST_F(PeerMemory, IsRevokedWhenItsDriverGoes) {
  (void)root.enable(pool_bar).granted();
  Lease lease;
  (void)allocate(alice, lease).granted();
  (void)lease.next();
  EXPECT_EQ(root.bind(nvme).error, "Busy");
  tree.unregister_peer_memory(address);
  look_again();
  const auto notice = lease.next();
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->body["reason"], "device-wanted");
  lease.wait_for_end();
  EXPECT_TRUE(root.grants().empty());
}

}  // namespace
}  // namespace p2pd::test
