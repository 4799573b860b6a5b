// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/fd_gate.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "bus/errors.h"
#include "bus/guard.h"

namespace p2pd {

namespace {

thread_local FdGate* gate = nullptr;
thread_local unsigned received = 0;  // how often this thread was here
thread_local std::uint64_t bytes = 0;

std::byte* fds_of(cmsghdr& header) { return reinterpret_cast<std::byte*>(&header) + CMSG_LEN(0); }
std::size_t count_of(const cmsghdr& header) {
  if (header.cmsg_level != SOL_SOCKET || header.cmsg_type != SCM_RIGHTS) return 0;
  return (header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
}

// Asks libsystemd to read from a connection: what it was bound to depends on how the program was linked and loaded, and this
// is the one answer that holds for every way.
bool libsystemd_comes_here() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) < 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  UniqueFd ours{ends[0]};
  const UniqueFd silent{ends[1]};
  sd_bus* made = nullptr;
  must(sd_bus_new(&made), "sd_bus_new");
  const std::unique_ptr<sd_bus, Dropper<sd_bus_close_unref>> bus{made};
  must(sd_bus_set_fd(made, ours.get(), ours.get()), "sd_bus_set_fd");
  (void)ours.release();
  must(sd_bus_start(made), "sd_bus_start");
  const auto before = received;
  must(sd_bus_process(made, nullptr), "sd_bus_process");
  return received != before;
}

}  // namespace

FdGate::FdGate(sd_event* loop) : loop_(loop) {
  if (!libsystemd_comes_here())
    throw std::runtime_error(
        "this build of p2pd is broken: libsystemd does not use its recvmsg(), so that files of clients could block it. "
        "Link it dynamically, and export recvmsg from the program");
  gate = this;
}

FdGate::~FdGate() { gate = nullptr; }

ForeignFd FdGate::file_of(int token) {
  const auto found = gate->arrived_.find(token);
  if (found == gate->arrived_.end()) return {};
  return found->second.file.duplicate();
}

std::uint64_t FdGate::bytes_received() { return bytes; }

int FdGate::token_for(ForeignFd file) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) < 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  UniqueFd reader{ends[0]};
  UniqueFd writer{ends[1]};
  const int token = writer.get();
  // A token that had this number before is closed, whether its end was heard of or not.
  arrived_.erase(token);
  auto& arrived = arrived_[token];
  arrived.gate = this;
  arrived.token = token;
  arrived.file = std::move(file);
  arrived.reader = std::move(reader);
  sd_event_source* source = nullptr;
  constexpr std::uint32_t hangup_only = 0;
  must(sd_event_add_io(loop_, &source, arrived.reader.get(), hangup_only, &FdGate::on_hangup, &arrived), "sd_event_add_io");
  arrived.hangup.reset(source);
  return writer.release();
}

int FdGate::on_hangup(sd_event_source* /*source*/, int /*fd*/, std::uint32_t /*events*/, void* userdata) {
  const auto& arrived = *static_cast<Arrived*>(userdata);
  arrived.gate->arrived_.erase(arrived.token);
  return 0;
}

void FdGate::replace_fds(msghdr& message) noexcept {
  if (gate == nullptr) return;
  bool is_whole = (message.msg_flags & MSG_CTRUNC) == 0;
  for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    for (std::size_t index = 0; index < count_of(*header); ++index) {
      auto* const place = fds_of(*header) + index * sizeof(int);
      int fd = -1;
      std::memcpy(&fd, place, sizeof fd);
      ForeignFd file{UniqueFd(fd)};
      fd = -1;
      guard_callback("descriptors of a client", [&] { fd = gate->token_for(std::move(file)); });
      if (fd < 0) is_whole = false;
      std::memcpy(place, &fd, sizeof fd);
    }
  }
  if (is_whole) return;
  // No room for all of them. Without any of them sd-bus drops this one message; told that some are missing, the connection.
  for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    for (std::size_t index = 0; index < count_of(*header); ++index) {
      int token = -1;
      std::memcpy(&token, fds_of(*header) + index * sizeof(int), sizeof token);
      const UniqueFd closed{token};
    }
  }
  message.msg_controllen = 0;
  message.msg_flags &= ~MSG_CTRUNC;
}

}  // namespace p2pd

extern "C" __attribute__((visibility("default"))) ssize_t recvmsg(int socket, msghdr* message, int flags) {
  // Not the system call itself: what a test preloads comes before libc.
  static const auto next = reinterpret_cast<decltype(&::recvmsg)>(::dlsym(RTLD_NEXT, "recvmsg"));
  ++p2pd::received;
  const auto size = next(socket, message, flags);
  if (size < 0) return size;
  p2pd::bytes += static_cast<std::uint64_t>(size);
  p2pd::FdGate::replace_fds(*message);
  return size;
}
