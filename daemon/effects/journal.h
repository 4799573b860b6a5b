// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where log lines go: to the journal with fields when systemd runs us, else to stderr.
#pragma once

#include "arbiter/effect.h"

namespace p2pd {

// Sets up spdlog's default logger. Once, at the start of the program.
void set_up_log(bool verbose);

// One line for a grant, a refusal or the end of a grant, with fields P2P_INITIATOR, P2P_TARGET, P2P_GRANT, P2P_CLIENT_UID,
// P2P_CLIENT_PID, P2P_CLIENT_UNIT.
void write_journal(const Journal& entry);

}  // namespace p2pd
