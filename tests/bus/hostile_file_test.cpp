// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Descriptors of every kind, left with p2pd by the thousand; and leases that are not what they look like.
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <thread>

#include "hostile_client.h"
#include "lingering.h"

namespace p2pd::test {
namespace {

using Call = Client::Call;
using Reply = Attacker::Reply;

// dbus-daemon takes no more in one message.
constexpr std::size_t fds_of_a_message = 16;

Call manager(const char* method, Arguments arguments) {
  return {.path = "/org/p2pd1", .method = std::string("org.p2pd1.Manager.") + method, .arguments = std::move(arguments)};
}

Call leave(int fd) { return manager("Nothing", Arguments(fds_of_a_message, Fd{fd})); }

void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

// Over and over; the bus lets no more than 64 of them wait for p2pd.
auto files(std::function<UniqueFd()> open) {
  return [open](HostileClient&) {
    return [file = std::make_shared<UniqueFd>(open())](Attacker& attacker) {
      attacker.send(leave(file->get()), Reply::unwanted);
      pause();
    };
  };
}

UniqueFd opened(const char* path, int flags) { return UniqueFd(::open(path, flags | O_CLOEXEC, 0600)); }

UniqueFd a_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) < 0) throw std::runtime_error("pipe2");
  const UniqueFd closed(ends[0]);
  return UniqueFd(ends[1]);
}

UniqueFd a_socket_whose_peer_is_closed() {
  Lease lease;
  lease.close();
  return UniqueFd::duplicate(lease.theirs().fd);
}

// A thousand that do not close, as long as the FUSE does not answer.
Attacker::Deed files_of_a_fuse(HostileClient& test) {
  test.fuse = FuseFile::mount(test.directory.path(), test.daemon->process().pid());
  if (!test.fuse) throw std::runtime_error("FUSE cannot be mounted here");
  return [&fuse = *test.fuse, left = 1000 / static_cast<int>(fds_of_a_message)](Attacker& attacker) mutable {
    if (left-- > 0) attacker.send(leave(fuse.open().get()), Reply::unwanted);
    pause();
  };
}

// Whoever closes them last waits: that is to be p2pd, and not the bus.
Attacker::Deed sockets_that_linger(HostileClient& test) {
  constexpr int more_than_it_has_threads_for = 20;  // each has some MiB of the kernel's memory
  test.daemon->process().send(SIGSTOP);
  for (int count = 0; count < more_than_it_has_threads_for; ++count) {
    auto lingering = make_lingering();
    test.alice.send_signal(manager("Nothing", {Fd{lingering.socket.get()}}));
    test.alice.flush();
    for (int round_trips = 0; round_trips < 3; ++round_trips) const Client another(test.bus, alice_uid);
    test.peers.push_back(std::move(lingering.peer));
  }
  test.daemon->process().send(SIGCONT);
  return files([] { return opened("/dev/null", O_RDWR); })(test);
}

Attacker::Deed leases_with_themselves_inside(HostileClient&) {
  return [](Attacker& attacker) {
    const Lease lease;
    send_fd(lease.ours(), lease.ours());
    send_fd(lease.ours(), lease.theirs().fd);
    attacker.send(manager("Acquire", {initiator, lease.theirs(), Options{}}), Reply::wanted);
    pause();
    attacker.read();
  };
}

// The first lease is in the second and so on: each is closed with the one that it is in.
Attacker::Deed leases_in_leases(HostileClient&) {
  return [](Attacker& attacker) {
    constexpr int deep = 10;
    std::array<Lease, deep> chain;
    for (std::size_t inner = 0; inner + 1 < deep; ++inner) {
      send_fd(chain[inner + 1].ours(), chain[inner].ours());
      send_fd(chain[inner + 1].ours(), chain[inner].theirs().fd);
    }
    attacker.send(manager("Acquire", {initiator, chain.back().theirs(), Options{}}), Reply::wanted);
    attacker.read();
  };
}

Attacker::Deed mappings_that_end_at_once(HostileClient& test) {
  return [holding = test.held.path](Attacker& attacker) {
    const Lease lease;
    attacker.send(manager("Map", {Path{holding}, target_bar, Options{{"lease", lease.theirs()}}}), Reply::wanted);
    pause();
    attacker.read();
  };
}

Attacker::Deed memory_that_is_refused(HostileClient& test) {
  return [holding = test.held.path, memory = std::make_shared<UniqueFd>(a_pipe())](Attacker& attacker) {
    attacker.send(manager("MapMemory", {Path{holding}, Fd{memory->get()}, std::uint64_t{0}, std::uint64_t{0x1000}, Options{}}),
                  Reply::wanted);
    attacker.read();
  };
}

const Attack attacks[] = {
    {"PipesWithOneEndClosed", files(a_pipe)},
    {"DevNull", files([] { return opened("/dev/null", O_RDWR); })},
    {"Directories", files([] { return opened("/tmp", O_RDONLY); })},
    {"Paths", files([] { return opened("/dev/null", O_PATH); })},
    {"EventFds", files([] { return UniqueFd(::eventfd(0, EFD_CLOEXEC)); })},
    {"Memfds", files([] { return sealed_memory(0x1000); })},
    {"SocketsWhosePeerIsClosed", files(a_socket_whose_peer_is_closed)},
    {"FilesOfAFuse", files_of_a_fuse},
    {"SocketsThatLinger", sockets_that_linger},
    {"LeasesWithThemselvesInside", leases_with_themselves_inside},
    {"LeasesInLeases", leases_in_leases},
    {"MappingsThatEndAtOnce", mappings_that_end_at_once},
    {"MemoryThatIsRefused", memory_that_is_refused},
};

INSTANTIATE_TEST_SUITE_P(Files, HostileAttack, in_table_of_attacks(attacks), attack_name);

}  // namespace
}  // namespace p2pd::test
