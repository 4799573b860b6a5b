// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A lease: the socket by which a client holds what p2pd granted. The grant lives as long as a copy of this end lives, in
// whatever process: hand it to a child and the grant survives you; shut it down and it ends for everybody.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "p2pclient/file_descriptor.h"

namespace p2pclient {

// What p2pd says over the lease.
struct Notice {
  enum class Event : std::uint8_t {
    fds,       // brings file descriptors (Holding takes this one by itself)
    revoking,  // the grant will be taken away: quiesce the device, then release, within `deadline`
    revoked,   // the grant is gone
    ended,     // p2pd closed the lease: nothing comes after this
    other,     // an event that this version of the library does not know
  };
  Event event = Event::other;
  std::string grant;   // object path of the holding or mapping that it is about
  std::string reason;  // operator, disabled, device-gone, device-reset, device-wanted, expired, stopping; may grow
  std::chrono::milliseconds deadline{0};  // time left when it was sent
  std::vector<FileDescriptor> fds;
};

class Lease {
 public:
  // An empty one: nothing is held by it.
  Lease() = default;
  // A new socket pair: this end stays here, `theirs` goes to p2pd with the request. Throws std::system_error.
  struct Pair;
  [[nodiscard]] static Pair create();

  // Becomes readable (poll: POLLIN or POLLHUP) when there is a notice. -1 when empty.
  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }

  // The next notice; nothing when none comes within `timeout` (0 = do not wait). After `ended` it answers `ended` again.
  // Throws std::system_error.
  [[nodiscard]] std::optional<Notice> read(std::chrono::milliseconds timeout = std::chrono::milliseconds{0});

  // Ends what is held by this lease, though children may have copies of it. p2pd unmaps soon after, not before this
  // returns; Holding::release() and Mapping::release() wait.
  void end() noexcept;

 private:
  explicit Lease(FileDescriptor socket) noexcept : socket_(std::move(socket)) {}
  FileDescriptor socket_;
};

struct Lease::Pair {
  Lease ours;
  FileDescriptor theirs;
};

}  // namespace p2pclient
