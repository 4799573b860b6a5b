// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/lease.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

namespace p2pd {

namespace {

tl::unexpected<Reason> refused(std::string text) { return refuse(ErrorCode::invalid_argument, "the lease " + std::move(text)); }

std::optional<int> socket_option(int socket, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(socket, SOL_SOCKET, option, &value, &size) < 0) return std::nullopt;
  return value;
}

struct Peeked {
  ssize_t size;  // -1: `error`
  int error;
  bool has_ancillary;  // fds or credentials came with it; without a buffer for them none is opened here
};

Peeked peek(int socket) {
  std::byte byte{};
  iovec data{.iov_base = &byte, .iov_len = sizeof byte};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  const auto size = ::recvmsg(socket, &message, MSG_PEEK | MSG_DONTWAIT);
  return {size, size < 0 ? errno : 0, (message.msg_flags & MSG_CTRUNC) != 0};
}

Outcome<void> check_and_shut(int socket) {
  // getsockopt asks the kernel's socket layer only. fstat would ask the file system, and that could be the client's own
  // FUSE, which never answers.
  const auto domain = socket_option(socket, SO_DOMAIN);
  if (!domain) return refused("is not a socket");
  if (*domain != AF_UNIX) return refused("is not an AF_UNIX socket");
  if (socket_option(socket, SO_TYPE) != SOCK_SEQPACKET) return refused("is not a SOCK_SEQPACKET socket");

  // A peek offset would hide what is queued: unix(7), SO_PEEK_OFF.
  const int no_peek_offset = -1;
  if (::setsockopt(socket, SOL_SOCKET, SO_PEEK_OFF, &no_peek_offset, sizeof no_peek_offset) < 0)
    return refused("does not take SO_PEEK_OFF");
  // Before the shutdown a message of no bytes and the end of the connection look the same, but an empty queue does not.
  const auto before = peek(socket);
  if (before.size < 0 && before.error == ENOTCONN) return refused("is not connected");
  if (before.size < 0 && before.error == ECONNRESET) return refused("has ended already");
  if (before.size == 0 && !before.has_ancillary) return refused("has ended already, or has an empty message queued in it");
  if (before.size >= 0 || before.error != EAGAIN) return refused("has messages queued in it");

  if (::shutdown(socket, SHUT_RD) < 0) return refused("cannot be shut for reading");
  // What came between the look and the shutdown.
  const auto after = peek(socket);
  if (after.size > 0 || after.has_ancillary) return refused("has messages queued in it");
  return {};
}

// Reading is shut down, so the queue only shrinks. Stops at the first message with anything in it: a queue may hold more fds
// than we have room for, and what stays goes when the socket is closed.
bool takes_something_out(int socket) {
  // An empty message looks like the end, so nothing says where that is. A queue never held more than
  // net.unix.max_dgram_qlen messages, which systemd raises to 512.
  constexpr unsigned most_messages = 1024;
  for (unsigned count = 0; count < most_messages; ++count) {
    constexpr std::size_t most_fds = 253;  // SCM_MAX_FD: the kernel itself closes what has no room here, and may block
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * most_fds)> control;
    std::byte byte{};
    iovec data{.iov_base = &byte, .iov_len = sizeof byte};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) return false;
    for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      for (std::size_t offset = CMSG_LEN(0); offset < header->cmsg_len; offset += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, reinterpret_cast<const std::byte*>(header) + offset, sizeof fd);
        const ForeignFd hidden{UniqueFd(fd)};
      }
    }
    if (size > 0 || message.msg_controllen != 0 || (message.msg_flags & MSG_CTRUNC) != 0) return true;
  }
  return false;
}

std::string event_text(const char* event, const std::string& grant_path, const Tell* notice) {
  nlohmann::json object{{"event", event}, {"grant", grant_path}};
  if (notice != nullptr) object["reason"] = to_string(notice->reason);
  if (notice != nullptr && notice->what == Tell::What::revoking) object["deadline_ms"] = notice->grace.count();
  return object.dump();
}

// With the client's copy of our end they could have made it blocking: never without MSG_DONTWAIT.
ssize_t send_message(int socket, std::string text, const std::vector<int>& fds) {
  constexpr std::size_t most_fds = 8;
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * most_fds)> control{};
  iovec data{.iov_base = text.data(), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  const auto size = sizeof(int) * std::min(fds.size(), most_fds);
  if (size != 0) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), fds.data(), size);
  }
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

Outcome<Lease> check_lease(ForeignFd socket) {
  if (auto checked = check_and_shut(socket.get()); !checked) return tl::unexpected(checked.error());
  return Lease{std::move(socket)};
}

Outcome<void> refuse_hidden_fds(int socket) {
  if (takes_something_out(socket)) return refused("had messages hidden in it");
  return {};
}

bool is_empty_socket(int file) {
  if (socket_option(file, SO_DOMAIN) != AF_UNIX || socket_option(file, SO_TYPE) != SOCK_SEQPACKET) return false;
  // Connections that nobody accepted have queues of their own.
  if (socket_option(file, SO_ACCEPTCONN) != 0) return false;
  // Shut for reading already, as every lease is: a socket that we did not take is not ours to change.
  if (const auto head = peek(file); head.size != 0 || head.has_ancillary) return false;
  return !takes_something_out(file);
}

void end_lease(int socket) { ::shutdown(socket, SHUT_RDWR); }

Outcome<void> send_fds(int socket, const std::string& grant_path, const std::vector<int>& fds) {
  if (send_message(socket, event_text("fds", grant_path, nullptr), fds) >= 0) return {};
  if (errno == EPIPE || errno == ECONNRESET) return refuse(ErrorCode::gone, "the lease ended");
  if (errno == EAGAIN) return refuse(ErrorCode::failed, "the client does not read its lease: its queue is full");
  return refuse_errno("cannot send over the lease", errno);
}

void send_notice(int socket, const std::string& grant_path, const Tell& notice) {
  const auto* event = notice.what == Tell::What::revoking ? "revoking" : "revoked";
  if (send_message(socket, event_text(event, grant_path, &notice), {}) < 0 && errno != EPIPE && errno != ECONNRESET)
    spdlog::debug("a notice for {} was dropped: {}", grant_path, refuse_errno("sendmsg", errno).value().text);
}

}  // namespace p2pd
