// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Clients that send descriptors: too many, of every kind, and leases wrapped in leases. What the bus lets pass: 16 in one
// message; of one connection it takes no more than 64 that are not delivered yet.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <deque>

#include "harness/fuse_file.h"
#include "harness/siege.h"
#include "lingering.h"

namespace p2pd::test {
namespace {

using HostileFiles = Siege;

constexpr std::size_t most_for_the_bus = 16;
constexpr std::size_t a_thousand = 1000;

struct Pair {
  UniqueFd ours;
  UniqueFd theirs;
};
Pair make_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Over the socket, as its owner may. False: it takes no more.
bool put_into(int socket, const std::vector<int>& fds) {
  std::array<char, 1> text{'x'};
  iovec part{.iov_base = text.data(), .iov_len = text.size()};
  std::vector<std::byte> control(CMSG_SPACE(sizeof(int) * fds.size()));
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
  std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

// How a client brings a file to p2pd.
struct Way {
  const char* name;
  std::function<void(Attacker&, const std::string& holding, int file)> pass;
};
std::ostream& operator<<(std::ostream& stream, const Way& way) { return stream << way.name; }

const Way ways[] = {
    {"AsLeasesOfHoldings", [](Attacker& attacker, const std::string&,
                              int file) { attacker.send(manager_call("Acquire", {initiator, Fd{file}, Options{}})); }},
    {"AsLeasesOfMappings",
     [](Attacker& attacker, const std::string& holding, int file) {
       attacker.send(manager_call("Map", {Path{holding}, target_bar, Options{{"lease", Fd{file}}}}));
     }},
    {"AsMemory",
     [](Attacker& attacker, const std::string& holding, int file) {
       attacker.send(manager_call("MapMemory", {Path{holding}, Fd{file}, std::uint64_t{0}, std::uint64_t{0x1000}, Options{}}));
     }},
    {"AsUnknownOptions",
     [](Attacker& attacker, const std::string&, int file) {
       Options options;
       for (std::size_t count = 0; count < most_for_the_bus; ++count)
         options.emplace_back("option" + std::to_string(count), Fd{file});
       attacker.send(manager_call("Check", {initiator, target_bar, options}));
     }},
    {"InCallsThatNobodyTakes",
     [](Attacker& attacker, const std::string&, int file) { attacker.send_fds(std::vector(most_for_the_bus, file)); }},
    {"InSignals",
     [](Attacker& attacker, const std::string&, int file) {
       Arguments arguments;
       for (std::size_t count = 0; count < most_for_the_bus; ++count) arguments.emplace_back(Fd{file});
       attacker.send_signal({"/nowhere", "org.example.Nobody.Hears", std::move(arguments)});
     }},
};

class HostileFile : public Siege, public testing::WithParamInterface<Way> {};

// A thousand at least, as long as the attack goes on.
TEST_P(HostileFile, ByTheThousand) {
  auto all = std::make_shared<std::vector<Attacker>>(attackers(8));
  withstand([all, file = std::make_shared<Pair>(make_pair())] {
    for (auto& attacker : *all) {
      (void)attacker.discard();
      for (std::size_t count = 0; count < a_thousand / 8 && attacker.in_flight() < 120 && !attacker.is_full(); ++count)
        GetParam().pass(attacker, "/org/p2pd1/holding/1", file->theirs.get());
    }
  });
}

// What is there to be passed. Closing some of them blocks: see foreign_file_test.cpp for what p2pd does then.
class Assortment {
 public:
  Assortment() : lingering_(make_lingering()), pair_(make_pair()) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) throw std::system_error(errno, std::generic_category(), "pipe2");
    fds_.emplace_back(ends[0]);
    fds_.emplace_back(ends[1]);
    fds_.emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
    fds_.emplace_back(::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    fds_.emplace_back(::open("/tmp", O_PATH | O_CLOEXEC));
    fds_.emplace_back(::eventfd(0, EFD_CLOEXEC));
    fds_.emplace_back(::epoll_create1(EPOLL_CLOEXEC));
    fds_.emplace_back(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    fds_.emplace_back(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    auto half = make_pair();
    fds_.push_back(std::move(half.theirs));
    fds_.push_back(UniqueFd::duplicate(pair_.theirs.get()));
    fds_.push_back(UniqueFd::duplicate(lingering_.socket.get()));
    fds_.push_back(sealed_memory(0x1000));
  }
  [[nodiscard]] const std::vector<UniqueFd>& fds() const { return fds_; }
  void add(UniqueFd fd) { fds_.push_back(std::move(fd)); }

 private:
  Lingering lingering_;
  Pair pair_;
  std::vector<UniqueFd> fds_;
};

TEST_P(HostileFile, OfEveryKind) {
  (void)root.offer(other_initiator).granted();
  auto held = acquire(bob, other_initiator);
  const auto fuse = FuseFile::mount(directory.path(), daemon->process().pid());
  auto files = std::make_shared<Assortment>();
  if (fuse) {
    files->add(fuse->open());
    fuse->let_go();
  }
  files->add(UniqueFd::duplicate(held.lease.ours()));
  files->add(UniqueFd::duplicate(held.device.get()));
  auto all = std::make_shared<std::vector<Attacker>>(attackers(4));
  withstand([all, files, path = held.path] {
    for (auto& attacker : *all) {
      (void)attacker.discard();
      for (const auto& file : files->fds())
        if (attacker.in_flight() < 120 && !attacker.is_full()) GetParam().pass(attacker, path, file.get());
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Passed, HostileFile, testing::ValuesIn(ways),
                         [](const auto& way) { return std::string(way.param.name); });

// ---- leases

TEST_F(HostileFiles, LeasesSentThroughThemselves) {
  auto all = std::make_shared<std::vector<Attacker>>(attackers(4));
  withstand([all] {
    for (auto& attacker : *all) {
      (void)attacker.discard();
      if (attacker.in_flight() > 100 || attacker.is_full()) continue;
      // Before p2pd has it, and after: at that time p2pd has shut it for reading.
      const auto lease = make_pair();
      (void)put_into(lease.ours.get(), {lease.ours.get()});
      attacker.send(manager_call("Acquire", {initiator, Fd{lease.theirs.get()}, Options{}}));
      const auto late = make_pair();
      attacker.send(manager_call("Acquire", {initiator, Fd{late.theirs.get()}, Options{}}));
      (void)put_into(late.ours.get(), {late.ours.get(), late.theirs.get()});
    }
  });
}

TEST_F(HostileFiles, ChainsOfLeasesInLeases) {
  auto all = std::make_shared<std::vector<Attacker>>(attackers(2));
  withstand([all] {
    for (auto& attacker : *all) {
      (void)attacker.discard();
      if (attacker.in_flight() > 100 || attacker.is_full()) continue;
      // Each one holds the one before, up to the kernel's own limit; the last is given away.
      constexpr int long_chain = 8;
      auto link = make_pair();
      for (int length = 0; length < long_chain; ++length) {
        auto next = make_pair();
        (void)put_into(next.ours.get(), {link.ours.get(), link.theirs.get()});
        link = std::move(next);
      }
      attacker.send(manager_call("Acquire", {initiator, Fd{link.theirs.get()}, Options{}}));
      attacker.send(manager_call("Acquire", {other_initiator, Fd{link.ours.get()}, Options{}}));
    }
  });
}

// The grants end as fast as they are made.
TEST_F(HostileFiles, LeasesThatEndAtOnce) {
  auto all = std::make_shared<std::vector<Attacker>>(attackers(4));
  auto kept = std::make_shared<std::deque<Pair>>();
  withstand([all, kept] {
    for (auto& attacker : *all) {
      (void)attacker.discard();
      if (attacker.in_flight() > 30 || attacker.is_full()) continue;
      kept->push_back(make_pair());
      attacker.send(manager_call("Acquire", {initiator, Fd{kept->back().theirs.get()}, Options{}}));
      if (kept->size() > 40) kept->pop_front();
    }
  });
}

}  // namespace
}  // namespace p2pd::test
