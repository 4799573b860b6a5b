// SPDX-License-Identifier: LGPL-2.1-or-later
#include <spdlog/spdlog.h>

#include "effects/grant_name.h"
#include "effects/runner_impl.h"

namespace p2pd {

// Giving way: unmap, munmap, out of the store, close. In this order: while anybody keeps the device fd, closing unmaps
// nothing.
Outcome<void> KernelObjects::close_holding(const CloseHolding& effect) {
  auto closing = holdings_.extract(effect.holding);
  if (closing.empty()) return refuse(ErrorCode::failed, text_of(effect.holding) + " is not open");
  auto& holding = closing.mapped();
  auto unmapped = holding.function->unmap_all();

  auto names = holding.stored_names;
  for (const auto& [mapping, range] : holding.mappings)
    if (range.has_lease) names.push_back(stored_name(mapping, lease_suffix));
  holding.mappings.clear();
  store_.remove(names);
  holding.function.reset();
  spdlog::info("closed {}", text_of(effect.holding));
  return unmapped;
}

void Runner::run(CloseHolding effect) {
  impl_->be_quiet(effect.holding);
  impl_->worker.run([impl = impl_.get(), effect] { return impl->kernel.close_holding(effect); },
                    [impl = impl_.get(), holding = effect.holding](const Outcome<void>& outcome) {
                      if (!outcome) spdlog::critical("closing {}: {}", text_of(holding), outcome.error().text);
                      // Its own lease and those of its mappings.
                      impl->forget(holding);
                      impl->parts.post(HoldingClosed{holding});
                    });
}

}  // namespace p2pd
