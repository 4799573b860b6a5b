// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A TCP socket whose last close takes a minute: it has data to send that nobody reads.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>

#include "model/unique_fd.h"

namespace p2pd {

struct Lingering {
  UniqueFd socket;
  UniqueFd peer;  // the close ends with this one
};

inline Lingering make_lingering() {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  Lingering pair;
  pair.socket.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(listener.get(), generic, size) < 0 || ::listen(listener.get(), 1) < 0 ||
      ::getsockname(listener.get(), generic, &size) < 0 || ::connect(pair.socket.get(), generic, size) < 0)
    throw std::runtime_error("connection through the loopback");
  pair.peer.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const linger a_minute{.l_onoff = 1, .l_linger = 60};
  if (::setsockopt(pair.socket.get(), SOL_SOCKET, SO_LINGER, &a_minute, sizeof a_minute) < 0)
    throw std::runtime_error("SO_LINGER");
  const std::array<char, 65536> data{};
  while (::send(pair.socket.get(), data.data(), data.size(), MSG_DONTWAIT) > 0) continue;
  return pair;
}

}  // namespace p2pd
