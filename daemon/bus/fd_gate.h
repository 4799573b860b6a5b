// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where descriptors of clients come in. sd-bus and sdbus-c++ copy and close what is in a message by themselves, on the
// loop's thread, and the close of a client's file can block: of FUSE every single close, not only the last one. So they
// never get one: this definition of recvmsg(), which libsystemd takes instead of libc's, leaves a token in its place.
#pragma once

#include <sys/socket.h>
#include <systemd/sd-event.h>

#include <cstdint>
#include <map>

#include "bus/raw.h"
#include "model/foreign_fd.h"

namespace p2pd {

class FdGate {
 public:
  // Of everything that this thread receives from now on. One for a thread. Throws when libsystemd was bound to another
  // recvmsg(): without the gate p2pd must not go near a bus.
  explicit FdGate(sd_event* loop);
  FdGate(const FdGate&) = delete;
  FdGate& operator=(const FdGate&) = delete;
  ~FdGate();

  // A copy of the file that a token stands for: an `h` of a message. Empty when there are too many open files.
  [[nodiscard]] static ForeignFd file_of(int token);

  // How many bytes this thread has received.
  [[nodiscard]] static std::uint64_t bytes_received();

  // For recvmsg() only: puts tokens in the place of the fds in the message that was received.
  static void replace_fds(msghdr& message) noexcept;

 private:
  // A token is the writing end of a pipe: when the last copy in message and library is closed, the reading end hangs up.
  struct Arrived {
    FdGate* gate = nullptr;
    int token = -1;
    ForeignFd file;
    UniqueFd reader;
    SourceRef hangup;
  };
  [[nodiscard]] int token_for(ForeignFd file);
  static int on_hangup(sd_event_source* source, int fd, std::uint32_t events, void* userdata);

  sd_event* loop_;
  std::map<int, Arrived> arrived_;
};

}  // namespace p2pd
