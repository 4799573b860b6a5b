// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/lease.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "harness/deadline.h"

namespace p2pd::test {

void send_fd(int socket, int fd) {
  char byte = 0;
  iovec part{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (::sendmsg(socket, &message, 0) < 0) throw std::system_error(errno, std::generic_category(), "sendmsg");
}

Lease::Lease() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  ours_.reset(ends[0]);
  theirs_.reset(ends[1]);
}

void Lease::shut_down() const {
  if (::shutdown(ours_.get(), SHUT_RDWR) < 0) throw std::system_error(errno, std::generic_category(), "shutdown");
}

std::optional<Lease::Notice> Lease::next() const {
  const Deadline deadline;
  pollfd ready{.fd = ours_.get(), .events = POLLIN, .revents = 0};
  while (::poll(&ready, 1, deadline.left_ms("a notice over the lease, or its end")) <= 0) continue;

  std::array<char, 4096> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
  iovec part{.iov_base = text.data(), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const auto length = ::recvmsg(ours_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (length == 0 || (length < 0 && errno == ECONNRESET)) return std::nullopt;
  if (length < 0) throw std::system_error(errno, std::generic_category(), "recvmsg");

  Notice notice{
      .body = read_json({text.data(), static_cast<std::size_t>(length)}), .length = static_cast<std::size_t>(length), .fd = {}};
  if (const auto* header = CMSG_FIRSTHDR(&message); header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    if (header->cmsg_len != CMSG_LEN(sizeof(int))) throw std::logic_error("more than one descriptor came over the lease");
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    notice.fd.reset(fd);
  }
  return notice;
}

void Lease::wait_for_end() const {
  while (next()) continue;
}

bool Lease::is_quiet() const {
  pollfd ready{.fd = ours_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, 0) == 0;
}

}  // namespace p2pd::test
