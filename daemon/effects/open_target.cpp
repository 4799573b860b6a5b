// SPDX-License-Identifier: LGPL-2.1-or-later
#include <spdlog/spdlog.h>

#include "effects/grant_name.h"
#include "effects/runner_impl.h"

namespace p2pd {

// Its fds are kept as well: a target that closed with its daemon would be reset under the feet of those who still map it.
Outcome<void> KernelObjects::open_target(const OpenTarget& effect) {
  if (targets_.contains(effect.device)) return refuse(ErrorCode::failed, effect.device.to_string() + " is open already");
  OpenedTarget target;
  Transaction transaction("open target " + effect.device.to_string(), fail_);
  if (auto done = run_open(transaction, effect.device, effect.iommu_group, target.function); !done) return done;
  const auto number = next_target_++;
  for (const auto& [fd, suffix] : target.function->fds_to_keep())
    if (auto done = run_keep(transaction, target.stored_names, stored_target_name(number, suffix), fd, false); !done) return done;
  transaction.keep();
  spdlog::info("opened {} as a target", effect.device.to_string());
  targets_.emplace(effect.device, std::move(target));
  return {};
}

void Runner::run(OpenTarget effect) {
  impl_->worker.run([impl = impl_.get(), effect] { return impl->kernel.open_target(effect); },
                    [impl = impl_.get(), device = effect.device](Outcome<void> outcome) {
                      impl->parts.post(TargetOpened{device, std::move(outcome)});
                    });
}

}  // namespace p2pd
