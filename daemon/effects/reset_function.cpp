// SPDX-License-Identifier: LGPL-2.1-or-later
#include <spdlog/spdlog.h>

#include "effects/runner_impl.h"

namespace p2pd {

Outcome<void> KernelObjects::reset_function(const ResetFunction& effect) {
  const auto text = effect.device.to_string();
  OpenedThrough opened;  // before the transaction, whose undo uses it
  Transaction transaction("reset " + text, fail_);
  const auto target = targets_.find(effect.device);
  if (target == targets_.end())
    if (auto done = run_open(transaction, effect.device, effect.iommu_group, "", opened); !done) return done;
  auto& function = target != targets_.end() ? *target->second.function : *opened.function;
  // What was opened for it is closed at the end, whatever became of it: the transaction is not kept.
  if (auto done = transaction.run({"reset", [&] { return function.reset(); }, {}}); !done) return done;
  spdlog::info("reset {}", text);
  return {};
}

void Runner::run(ResetFunction effect) {
  impl_->worker.run([impl = impl_.get(), effect] { return impl->kernel.reset_function(effect); },
                    [impl = impl_.get(), device = effect.device](Outcome<void> outcome) {
                      impl->parts.post(FunctionReset{device, std::move(outcome)});
                    });
}

}  // namespace p2pd
