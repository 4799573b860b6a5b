// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The socket by which a client holds a grant (design §7): checked when it comes, spoken over, ended.
#pragma once

#include <string>
#include <vector>

#include "arbiter/command.h"
#include "arbiter/effect.h"
#include "effects/memfd.h"
#include "model/foreign_fd.h"
#include "model/reason.h"

namespace p2pd {

// Takes a socket that a client passed as the lease of a grant: a connected AF_UNIX SOCK_SEQPACKET socket with nothing queued in
// it, whose reading end is shut down here. Without that a client could send the lease's other end through the lease itself
// and make it immortal.
[[nodiscard]] Outcome<Lease> check_lease(ForeignFd socket);

// The last word on what is queued in it, by taking it out: what check_lease() can only look at, a client can hide from the
// look by moving SO_PEEK_OFF at the right moment.
[[nodiscard]] Outcome<void> refuse_hidden_fds(int socket);

// Of any file of a client, which stays as it is. True: a socket as leases are, shut for reading, and nothing is in it.
[[nodiscard]] bool is_empty_socket(int file);

// For every copy there is: closing alone ends nothing while the fd store has one.
void end_lease(int socket);

// {"event":"fds","grant":PATH} with the fds beside it. Fails when the client does not read, or is gone.
[[nodiscard]] Outcome<void> send_fds(int socket, const std::string& grant_path, const std::vector<int>& fds);

// {"event":"revoking"|"revoked","grant":PATH,"reason":R[,"deadline_ms":N]}. Dropped when the client does not read.
void send_notice(int socket, const std::string& grant_path, const Tell& notice);

}  // namespace p2pd
