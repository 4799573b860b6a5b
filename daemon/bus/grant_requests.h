// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Messages about holdings and mappings as requests: syntax, descriptors, what polkit is to be asked. Looks at nothing that
// could have changed until the arbiter gets the request, but for what polkit is told.
#pragma once

#include "bus/intake.h"

namespace p2pd {

[[nodiscard]] Outcome<Ask> ask_acquire(sd_bus_message* call, const Core& core);
[[nodiscard]] Outcome<Ask> ask_map_memory(sd_bus_message* call, const Core& core);
[[nodiscard]] Outcome<Ask> ask_map(sd_bus_message* call, const Core& core);
[[nodiscard]] Outcome<Ask> ask_export_dma_buf(sd_bus_message* call);
[[nodiscard]] Outcome<Ask> ask_allocate_peer_memory(sd_bus_message* call);
[[nodiscard]] Outcome<Ask> ask_release(sd_bus_message* call, GrantId grant);
[[nodiscard]] Outcome<Ask> ask_revoke(sd_bus_message* call, GrantId grant, const Core& core);

}  // namespace p2pd
