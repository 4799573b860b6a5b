// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A client's side of a lease.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "model/unique_fd.h"

namespace p2pd {

class LeaseClient {
 public:
  explicit LeaseClient(int type = SOCK_SEQPACKET) {
    int ends[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0) throw std::system_error(errno, std::generic_category());
    mine_.reset(ends[0]);
    theirs_.reset(ends[1]);
  }

  explicit LeaseClient(UniqueFd end) : mine_(std::move(end)) {}

  [[nodiscard]] int socket() const { return mine_.get(); }
  [[nodiscard]] UniqueFd give_end() { return std::move(theirs_); }
  [[nodiscard]] UniqueFd copy() const { return UniqueFd::duplicate(mine_.get()); }
  void close() { mine_.reset(); }

  // False: errno says why.
  bool send(std::string text, const std::vector<int>& fds = {}) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 8)> control{};
    iovec data{.iov_base = text.data(), .iov_len = text.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
      std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
    }
    return ::sendmsg(mine_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
  }

  struct Message {
    std::string text;
    std::vector<UniqueFd> fds;
  };
  // Nothing: there is no message now, or the lease ended.
  std::optional<Message> receive() {
    std::string text(1024, '\0');
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 8)> control{};
    iovec data{.iov_base = text.data(), .iov_len = text.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto size = ::recvmsg(mine_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size <= 0 || (message.msg_flags & MSG_TRUNC) != 0) return std::nullopt;
    text.resize(static_cast<std::size_t>(size));
    Message result{std::move(text), {}};
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
      const auto count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t index = 0; index < count; ++index) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header) + index * sizeof(int), sizeof fd);
        result.fds.emplace_back(fd);
      }
    }
    return result;
  }

 private:
  UniqueFd mine_;
  UniqueFd theirs_;
};

inline bool has_hung_up(int fd) {
  pollfd poll_fd{.fd = fd, .events = 0, .revents = 0};
  return ::poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLHUP) != 0;
}

// The same, soon.
inline bool hangs_up(int fd) {
  pollfd poll_fd{.fd = fd, .events = 0, .revents = 0};
  return ::poll(&poll_fd, 1, 10'000) > 0 && (poll_fd.revents & POLLHUP) != 0;
}

inline bool is_same_file(int one, int other) {
  struct stat first{};
  struct stat second{};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

}  // namespace p2pd
