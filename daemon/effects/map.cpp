// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What MapClientMemory and MapPeer have in common: memory in our address space goes into the initiator's.
#include "effects/grant_name.h"
#include "effects/lease.h"
#include "effects/runner_impl.h"

namespace p2pd {

Outcome<void> KernelObjects::run_map(Transaction& transaction, OpenedHolding& holding, MappingId mapping, Range<Iova> iova,
                                     Access access, CpuMapping& memory, const std::optional<Lease>& lease) {
  if (lease) {
    // Out of the holding's names: it goes with the mapping.
    std::vector<std::string> name;
    if (auto done = run_keep(transaction, name, stored_name(mapping, lease_suffix), lease->socket.get(), true); !done)
      return done;
  }
  const auto map = [&] { return holding.function->map(iova, memory.data(), access); };
  if (auto done = transaction.run({"map", map, {}}); !done) return done;
  transaction.keep();
  holding.mappings.emplace(mapping, MappedRange{std::move(memory), lease.has_value()});
  return {};
}

void Runner::Impl::mapped(MappingId mapping, HoldingId holding, Outcome<std::optional<Lease>> outcome) {
  if (!outcome) return parts.post(Mapped{mapping, tl::unexpected(outcome.error())});
  if (auto lease = std::move(*outcome); lease.has_value()) watch(mapping, holding, std::move(*lease));
  parts.post(Mapped{mapping, {}});
}

}  // namespace p2pd
