// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/grant_name.h"
#include "effects/runner_impl.h"

namespace p2pd {

Outcome<std::optional<Lease>> KernelObjects::map_peer(MapPeer effect) {
  const auto share = [&](const OpenedFunction& initiator) -> Outcome<DmaMemory> {
    const auto target = targets_.find(effect.target);
    if (target == targets_.end()) return refuse(ErrorCode::gone, effect.target.to_string() + " is not open as a target");
    auto& function = *target->second.function;
    if (initiator.maps_bars_as_dma_buf()) return function.export_bar(effect.bar, effect.offset, effect.iova.length);
    return function.map_bar(effect.bar, effect.offset, effect.iova.length);
  };
  return map({.what = "map " + effect.target.to_string() + " for " + text_of(effect.mapping),
              .mapping = effect.mapping,
              .holding = effect.holding,
              .iova = effect.iova,
              .access = effect.access,
              .lease = std::move(effect.lease)},
             share);
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
