// SPDX-License-Identifier: LGPL-2.1-or-later
#include "p2pclient/lease.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "fail.h"

namespace p2pclient {

namespace {

constexpr std::size_t largest_notice = 1024;  // design: one JSON object of at most 1 KiB
constexpr std::size_t most_fds = 8;

Notice::Event parse_event(std::string_view word) {
  if (word == "fds") return Notice::Event::fds;
  if (word == "revoking") return Notice::Event::revoking;
  if (word == "revoked") return Notice::Event::revoked;
  return Notice::Event::other;
}

// A text that is no such object gives an event `other`: the client should look, not die.
Notice parse_notice(std::string_view text) {
  Notice notice;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return notice;
  const auto string_at = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  notice.event = parse_event(string_at("event"));
  notice.grant = string_at("grant");
  notice.reason = string_at("reason");
  if (const auto found = json.find("deadline_ms"); found != json.end() && found->is_number_unsigned())
    notice.deadline = std::chrono::milliseconds{found->get<std::uint32_t>()};
  return notice;
}

std::vector<FileDescriptor> take_fds(const msghdr& message) {
  std::vector<FileDescriptor> fds;
  for (const cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(part))) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

Notice ended() {
  Notice notice;
  notice.event = Notice::Event::ended;
  return notice;
}

// Nothing when there is none after all.
std::optional<Notice> take_notice(int socket) {
  std::array<char, largest_notice> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(most_fds * sizeof(int))> control{};
  iovec part{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const auto length = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (length < 0 && errno == ECONNRESET) return ended();
  if (length < 0) fail("recvmsg on a lease");
  auto fds = take_fds(message);
  if (length == 0) return ended();

  auto notice = parse_notice(std::string_view(text.data(), static_cast<std::size_t>(length)));
  notice.fds = std::move(fds);
  return notice;
}

// Not start + timeout: a client may say milliseconds::max().
std::chrono::milliseconds time_left(std::chrono::steady_clock::time_point start, std::chrono::milliseconds timeout) {
  const auto waited = std::chrono::floor<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  return timeout > waited ? timeout - waited : std::chrono::milliseconds{0};
}

// False when nothing came in time; true when a look is worth it.
bool wait_for_input(int socket, std::chrono::milliseconds left) {
  constexpr std::chrono::milliseconds longest{std::numeric_limits<int>::max()};
  pollfd waiting{socket, POLLIN, 0};
  const int ready = ::poll(&waiting, 1, static_cast<int>(std::min(left, longest).count()));
  if (ready < 0 && errno != EINTR) fail("poll of a lease");
  return ready != 0;
}

}  // namespace

Lease::Pair Lease::create() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
  return Pair{Lease(FileDescriptor(ends[0])), FileDescriptor(ends[1])};
}

std::optional<Notice> Lease::read(std::chrono::milliseconds timeout) {
  const auto start = std::chrono::steady_clock::now();
  // A signal, or a copy of the lease in another process that was faster, does not end the wait.
  while (wait_for_input(socket_.get(), time_left(start, timeout))) {
    if (auto notice = take_notice(socket_.get())) return notice;
  }
  return std::nullopt;
}

void Lease::end() noexcept {
  if (socket_) ::shutdown(socket_.get(), SHUT_RDWR);
  socket_.reset();
}

}  // namespace p2pclient
