// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/grant_name.h"
#include "effects/runner_impl.h"

namespace p2pd {

Outcome<void> KernelObjects::unmap(const Unmap& effect) {
  const auto holding = find_holding(effect.holding);
  if (!holding) return tl::unexpected(holding.error());
  auto& mappings = (*holding)->mappings;
  const auto mapping = mappings.find(effect.mapping);
  if (mapping == mappings.end()) return refuse(ErrorCode::gone, text_of(effect.mapping) + " is not mapped");
  // On failure all stays as it is: what is mapped needs its memory, and closing the holding tries again.
  if (auto done = (*holding)->function->unmap(effect.iova); !done) return done;
  const auto has_lease = mapping->second.has_lease;
  mappings.erase(mapping);
  if (has_lease) store_.remove({stored_name(effect.mapping, lease_suffix)});
  return {};
}

void Runner::run(Unmap effect) {
  impl_->be_quiet(effect.mapping);
  impl_->worker.run([impl = impl_.get(), effect] { return impl->kernel.unmap(effect); },
                    [impl = impl_.get(), mapping = effect.mapping](Outcome<void> outcome) {
                      if (outcome) impl->forget(mapping);
                      impl->parts.post(Unmapped{mapping, std::move(outcome)});
                    });
}

}  // namespace p2pd
