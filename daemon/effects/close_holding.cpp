// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "effects/give_up.h"
#include "effects/grant_name.h"
#include "effects/runner_impl.h"

namespace p2pd {

// Giving way: unmap, munmap, out of the store, close. In this order: while anybody keeps the device fd, closing unmaps
// nothing.
Outcome<UniqueFd> KernelObjects::close_holding(const CloseHolding& effect) {
  const auto found = find_holding(effect.holding);
  if (!found) return error_of(found);
  auto& holding = **found;
  auto names = holding.stored_names;
  for (const auto& [mapping, range] : holding.mappings)
    if (range.has_lease) names.push_back(stored_name(mapping, lease_suffix));

  // On failure all stays as it is, the copies in the store too: they are what the next life of the daemon unmaps by.
  if (auto unmapped = holding.function->unmap_all(); !unmapped) return error_of(unmapped);
  holding.mappings.clear();
  auto device = effect.keeps_device ? UniqueFd::duplicate(holding.function->device_fd()) : UniqueFd();
  store_.remove(names);
  holdings_.erase(effect.holding);
  spdlog::info("closed {}", text_of(effect.holding));
  return device;
}

void Runner::run(CloseHolding effect) {
  impl_->be_quiet(effect.holding);
  if (const auto found = impl_->lent.find(effect.holding); found != impl_->lent.end())
    impl_->removals.remove(found->second.initiator);
  impl_->worker.run([impl = impl_.get(), effect] { return impl->kernel.close_holding(effect); },
                    [impl = impl_.get(), effect](Outcome<UniqueFd> device) {
                      const auto holding = effect.holding;
                      // Nobody may be told that it is closed while its device goes on with DMA.
                      if (!device) give_up(fmt::format("cannot close {}: {}", text_of(holding), device.error().text));
                      if (effect.keeps_device)
                        impl->lent.at(holding).device = std::move(*device);
                      else
                        impl->lent.erase(holding);
                      // Its own lease and those of its mappings.
                      impl->forget(holding);
                      impl->parts.post(HoldingClosed{holding});
                    });
}

}  // namespace p2pd
