// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What MapClientMemory and MapPeer have in common: memory becomes a part of the initiator's address space.
#include "effects/grant_name.h"
#include "effects/lease.h"
#include "effects/runner_impl.h"

namespace p2pd {

Outcome<void> KernelObjects::run_map(const NewMapping& wanted, const Bring& bring) {
  DmaMemory memory;  // before the transaction, whose undo uses it
  Transaction transaction(wanted.what, fail_);
  if (wanted.lease)
    if (auto done = run_check_lease(transaction, *wanted.lease); !done) return done;
  const auto holding = find_holding(wanted.holding);
  if (!holding) return error_of(holding);

  const auto bring_it = [&]() -> Outcome<void> {
    auto brought = bring(*(*holding)->function);
    if (!brought) return error_of(brought);
    memory = std::move(*brought);
    return {};
  };
  if (auto done = transaction.run({"bring the memory", bring_it, [&] { memory = DmaMemory{}; }}); !done) return done;
  if (wanted.lease) {
    // Out of the holding's names: it goes with the mapping.
    std::vector<std::string> name;
    const auto lease = wanted.lease->socket.get();
    if (auto done = run_keep(transaction, name, stored_name(wanted.mapping, lease_suffix), lease, true); !done) return done;
  }
  const auto map_it = [&] { return (*holding)->function->map(wanted.iova, memory, wanted.access); };
  if (auto done = transaction.run({"map", map_it, {}}); !done) return done;
  transaction.keep();
  (*holding)->mappings.emplace(wanted.mapping, MappedRange{std::move(memory), wanted.lease.has_value()});
  return {};
}

Outcome<std::optional<Lease>> KernelObjects::map(NewMapping wanted, const Bring& bring) {
  if (auto done = run_map(wanted, bring); !done) {
    if (wanted.lease) end_lease(wanted.lease->socket.get());
    return error_of(done);
  }
  return std::move(wanted.lease);
}

void Runner::Impl::mapped(MappingId mapping, std::optional<HoldingId> holding, Outcome<std::optional<Lease>> outcome) {
  if (!outcome) return parts.post(Mapped{mapping, tl::unexpected(outcome.error())});
  if (auto lease = std::move(*outcome); lease.has_value()) watch(mapping, holding, std::move(*lease));
  parts.post(Mapped{mapping, {}});
}

}  // namespace p2pd
