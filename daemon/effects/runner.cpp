// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/runner.h"

#include "effects/runner_impl.h"

namespace p2pd {

Runner::Runner(Parts parts) : impl_(std::make_unique<Impl>(std::move(parts))) {}

Runner::~Runner() = default;

void Runner::Impl::watch(GrantId grant, std::optional<HoldingId> holding, Lease lease) {
  auto post_end = [this, grant] { parts.post(LeaseEnded{grant}); };
  leases.insert_or_assign(grant, HeldLease{holding, std::make_unique<LeaseWatch>(parts.loop, std::move(lease), post_end)});
}

void Runner::Impl::be_quiet(GrantId going) {
  for (auto& [grant, held] : leases)
    if (belongs_to(grant, held.holding, going)) held.watch->be_quiet();
  deadlines.erase(going);
}

void Runner::Impl::forget(GrantId going) {
  std::erase_if(leases, [&](const auto& entry) { return belongs_to(entry.first, entry.second.holding, going); });
}

}  // namespace p2pd
