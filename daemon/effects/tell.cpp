// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/lease.h"
#include "effects/runner_impl.h"

namespace p2pd {

void Runner::run(const Tell& effect) {
  const auto held = impl_->leases.find(effect.lease);
  if (held == impl_->leases.end()) return;
  send_notice(held->second.watch->socket(), impl_->parts.path_of(effect.grant), effect);
}

}  // namespace p2pd
