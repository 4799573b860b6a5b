// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/scene.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <ostream>
#include <system_error>

namespace p2pd::test {

namespace {

std::unique_ptr<DaemonProcess> start(const PrivateBus& bus, const std::filesystem::path& directory, FakeSysfs& tree,
                                     const std::string& configuration) {
  build_machine(tree);
  return std::make_unique<DaemonProcess>(DaemonProcess::Settings{.bus = bus.address(),
                                                                 .directory = directory,
                                                                 .sysfs_root = tree.sysfs(),
                                                                 .proc_root = tree.top() / "proc",
                                                                 .configuration = configuration});
}

}  // namespace

UniqueFd sealed_memory(std::uint64_t length) {
  UniqueFd memory(::memfd_create("p2pd-test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (::ftruncate(memory.get(), static_cast<off_t>(length)) < 0 || ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK) < 0)
    throw std::system_error(errno, std::generic_category(), "a sealed memfd");
  return memory;
}

Scene::Scene(const std::string& configuration)
    : bus(directory.path()),
      polkit(bus),
      daemon(start(bus, directory.path(), tree, configuration)),
      root(bus, 0),
      alice(bus, alice_uid),
      bob(bus, bob_uid) {}

void Scene::TearDown() {
  EXPECT_TRUE(daemon == nullptr || daemon->is_alive()) << "p2pd died";
  if (HasFailure() && daemon != nullptr) std::cerr << "---- log of p2pd\n" << daemon->log() << "---- end of log\n";
}

void Scene::let_clients_work() {
  for (const auto uid : {alice_uid, bob_uid})
    for (const auto* action : {"acquire", "map"}) polkit.allow(action, uid);
}

void Scene::set_up_the_usual_pair() {
  let_clients_work();
  (void)root.enable(target_bar).granted();
  (void)root.offer(initiator).granted();
}

Scene::Held Scene::acquire(Client& client, const std::string& address, const Options& options) {
  Held held;
  held.path = client.acquire(address, held.lease, options).granted()[0].text();
  held.lease.close_theirs();
  auto notice = held.lease.next();
  if (!notice || !notice->fd) throw std::runtime_error("no device came over the lease");
  held.device = std::move(notice->fd);
  return held;
}

void Scene::use_the_usual_pair_once() {
  const auto held = acquire(alice, initiator);
  (void)alice.map(held.path, target_bar).granted();
  (void)alice.release(held.path).granted();
}

void Scene::eventually(const std::string& what, const std::function<bool()>& holds) {
  const Deadline deadline;
  while (!holds()) {
    (void)deadline.left(what);
    root.ping();
  }
}

Scene::Traces Scene::traces() {
  // The first option that it ever reads costs sdbus-c++ two descriptors, for good: its Variant has a connection of its own.
  (void)root.check(initiator, target_bar, {{"address_bits", 64U}}).granted();
  auto counters = root.statistics().dict();
  // Those count requests, refused ones too.
  counters.erase("requests_total");
  counters.erase("requests_refused");
  return {.fds = daemon->open_fds().size(), .address_spaces = daemon->address_spaces(), .statistics = std::move(counters)};
}

void Scene::expect_no_trace_since(const Traces& before) {
  Traces now;
  try {
    eventually("no trace is left", [&] {
      now = traces();
      return now.fds <= before.fds && now.address_spaces == before.address_spaces && now.statistics == before.statistics;
    });
  } catch (const TooLate&) {
    EXPECT_EQ(now.address_spaces, before.address_spaces);
    EXPECT_EQ(now.statistics, before.statistics);
    EXPECT_LE(now.fds, before.fds) << "descriptors of p2pd";
    for (const int fd : daemon->open_fds()) std::cerr << fd << " -> " << daemon->fd_target(fd) << '\n';
  }
}

}  // namespace p2pd::test
