// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/grant_name.h"
#include "effects/lease.h"
#include "effects/runner_impl.h"

namespace p2pd {

Outcome<std::optional<Lease>> KernelObjects::map_peer(MapPeer effect) {
  Transaction transaction("map " + effect.target.to_string() + " for " + text_of(effect.mapping), fail_);
  CpuMapping memory;
  const auto run_all = [&]() -> Outcome<void> {
    if (effect.lease)
      if (auto done = run_check_lease(transaction, *effect.lease); !done) return done;
    const auto holding = find_holding(effect.holding);
    if (!holding) return tl::unexpected(holding.error());
    const auto target = targets_.find(effect.target);
    if (target == targets_.end()) return refuse(ErrorCode::gone, effect.target.to_string() + " is not open as a target");
    const auto map = [&]() -> Outcome<void> {
      auto mapped = target->second.function->map_bar(effect.bar, effect.offset, effect.iova.length);
      if (!mapped) return tl::unexpected(mapped.error());
      memory = std::move(*mapped);
      return {};
    };
    if (auto done = transaction.run({"mmap", map, [&] { memory = {}; }}); !done) return done;
    return run_map(transaction, **holding, effect.mapping, effect.iova, effect.access, memory, effect.lease);
  };
  if (auto done = run_all(); !done) {
    if (effect.lease) end_lease(effect.lease->socket.get());
    return tl::unexpected(done.error());
  }
  return std::move(effect.lease);
}

void Runner::run(MapPeer effect) {
  const auto mapping = effect.mapping;
  const auto holding = effect.holding;
  impl_->worker.run(
      [impl = impl_.get(), effect = std::move(effect)]() mutable { return impl->kernel.map_peer(std::move(effect)); },
      [impl = impl_.get(), mapping, holding](Outcome<std::optional<Lease>> outcome) {
        impl->mapped(mapping, holding, std::move(outcome));
      });
}

}  // namespace p2pd
