// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A client's side of a lease: a pair of sockets, one to give away, one to keep.
#pragma once

#include <optional>
#include <string>

#include "harness/value.h"
#include "model/unique_fd.h"

namespace p2pd::test {

// Sends one descriptor through a socket.
void send_fd(int socket, int fd);

class Lease {
 public:
  Lease();

  // The end for p2pd; ours until close_theirs().
  [[nodiscard]] Fd theirs() const { return {theirs_.get()}; }
  void close_theirs() { theirs_.reset(); }
  [[nodiscard]] int ours() const { return ours_.get(); }

  // Drops the kept end.
  void close() { ours_.reset(); }
  // Ends it for every copy.
  void shut_down() const;

  struct Notice {
    Value body;          // the JSON object
    std::size_t length;  // bytes of it
    UniqueFd fd;         // what came with it
  };
  // The next notice; nothing once p2pd has ended the lease.
  [[nodiscard]] std::optional<Notice> next() const;
  // Reads until p2pd has ended it.
  void wait_for_end() const;
  // p2pd holds it, and there is nothing to read.
  [[nodiscard]] bool is_quiet() const;

 private:
  UniqueFd ours_;
  UniqueFd theirs_;
};

}  // namespace p2pd::test
