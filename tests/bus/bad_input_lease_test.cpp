// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Things that are no lease: nothing but a connected pair of AF_UNIX SOCK_SEQPACKET sockets with nothing queued is one.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "bad_input.h"

namespace p2pd::test {
namespace {

struct Pair {
  UniqueFd theirs;
  UniqueFd ours;
};

Pair socket_pair(int type) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) < 0) throw std::runtime_error("socketpair");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Pair a_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) < 0) throw std::runtime_error("pipe2");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Connected through the loopback.
Pair tcp() {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  Pair pair;
  if (::bind(listener.get(), generic, size) < 0 || ::listen(listener.get(), 1) < 0 ||
      ::getsockname(listener.get(), generic, &size) < 0)
    throw std::runtime_error("listen");
  pair.ours.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(pair.ours.get(), generic, size) < 0) throw std::runtime_error("connect");
  pair.theirs.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return pair;
}

Pair with_a_message_queued(const void* bytes, std::size_t length) {
  auto pair = socket_pair(SOCK_SEQPACKET);
  if (::send(pair.ours.get(), bytes, length, 0) < 0) throw std::runtime_error("send");
  return pair;
}

// The lease's own other end inside the lease: it would hold itself for ever.
Pair with_itself_queued() {
  auto pair = socket_pair(SOCK_SEQPACKET);
  send_fd(pair.ours.get(), pair.ours.get());
  return pair;
}

Pair listening() {
  Pair pair;
  pair.theirs.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;  // no name: the kernel finds one
  if (::bind(pair.theirs.get(), reinterpret_cast<sockaddr*>(&address), sizeof address.sun_family) < 0 ||
      ::listen(pair.theirs.get(), 1) < 0)
    throw std::runtime_error("listen");
  return pair;
}

Pair with_peer_closed() {
  auto pair = socket_pair(SOCK_SEQPACKET);
  pair.ours.reset();
  return pair;
}

Pair with_peer_shut_down() {
  auto pair = socket_pair(SOCK_SEQPACKET);
  ::shutdown(pair.ours.get(), SHUT_RDWR);
  return pair;
}

Pair file(const char* path, int flags) { return {UniqueFd(::open(path, flags | O_CLOEXEC, 0600)), {}}; }

struct Imposter {
  const char* name;
  std::function<Pair()> make;
};

const Imposter imposters[] = {
    {"ARegularFile", [] { return file("/tmp", O_TMPFILE | O_RDWR); }},
    {"ADirectory", [] { return file("/tmp", O_RDONLY); }},
    {"DevNull", [] { return file("/dev/null", O_RDWR); }},
    {"AFileOpenedAsAPath", [] { return file("/dev/null", O_PATH); }},
    {"APipe", a_pipe},
    {"AnEventFd", [] { return Pair{UniqueFd(::eventfd(0, EFD_CLOEXEC)), {}}; }},
    {"AMemfd", [] { return Pair{sealed_memory(0x1000), {}}; }},
    {"AStreamSocket", [] { return socket_pair(SOCK_STREAM); }},
    {"ADatagramSocket", [] { return socket_pair(SOCK_DGRAM); }},
    {"ATcpSocket", tcp},
    {"ASocketThatIsNotConnected", [] { return Pair{UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)), {}}; }},
    {"AListeningSocket", listening},
    {"ASocketWhosePeerIsClosed", with_peer_closed},
    {"ASocketWhosePeerIsShutDown", with_peer_shut_down},
    {"ASocketWithAMessageQueued", [] { return with_a_message_queued("x", 1); }},
    {"ASocketWithAnEmptyMessageQueued", [] { return with_a_message_queued("", 0); }},
    {"ASocketWithItselfQueued", with_itself_queued},
};

// Each of them as the lease of a holding, of memory and of a target.
std::vector<Row> rows_of(Answer (*request)(BadInput&, Fd)) {
  std::vector<Row> rows;
  for (const auto& imposter : imposters) {
    rows.push_back({imposter.name, "InvalidArgument", [make = imposter.make, request](BadInput& test) {
                      const auto pair = make();
                      return request(test, Fd{pair.theirs.get()});
                    }});
  }
  return rows;
}

// The initiator that bob has given back, so that nothing but the lease is wrong.
Answer acquire(BadInput& test, Fd lease) { return test.bob.acquire(other_initiator, lease); }

class FreeInitiator : public BadInput {
 public:
  void SetUp() override {
    BadInput::SetUp();
    (void)bob.release(other.path).granted();
    other.device.reset();
    // It would be lent now, so it is the lease that is refused.
    const auto again = Scene::acquire(bob, other_initiator);
    (void)bob.release(again.path).granted();
  }
};

TEST_P(FreeInitiator, IsNotLentForWhatIsNoLease) {
  const auto before = traces();
  const auto answer = GetParam().request(*this);
  EXPECT_EQ(answer.error, GetParam().error) << answer;
  EXPECT_NE(answer.text.find("lease"), std::string::npos) << answer;
  expect_no_trace_since(before);
}

INSTANTIATE_TEST_SUITE_P(Lease, FreeInitiator, testing::ValuesIn(rows_of(acquire)), row_name);
INSTANTIATE_TEST_SUITE_P(LeaseOfMemory, BadInput, testing::ValuesIn(rows_of([](BadInput& test, Fd lease) {
                           return test.map_memory_with({{"lease", lease}});
                         })),
                         row_name);
INSTANTIATE_TEST_SUITE_P(LeaseOfATarget, BadInput,
                         testing::ValuesIn(rows_of([](BadInput& test, Fd lease) { return test.map_with({{"lease", lease}}); })),
                         row_name);

}  // namespace
}  // namespace p2pd::test
