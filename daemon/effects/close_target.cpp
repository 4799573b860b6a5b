// SPDX-License-Identifier: LGPL-2.1-or-later
#include <spdlog/spdlog.h>

#include "effects/runner_impl.h"

namespace p2pd {

// The arbiter closes a target only when nothing maps it any more.
Outcome<void> KernelObjects::close_target(const CloseTarget& effect) {
  const auto target = targets_.extract(effect.device);
  if (target.empty()) return refuse(ErrorCode::failed, effect.device.to_string() + " is not open");
  store_.remove(target.mapped().stored_names);
  spdlog::info("closed target {}", effect.device.to_string());
  return {};
}

void Runner::run(CloseTarget effect) {
  impl_->worker.run([impl = impl_.get(), effect] { return impl->kernel.close_target(effect); },
                    [impl = impl_.get(), device = effect.device](const Outcome<void>& outcome) {
                      if (!outcome) spdlog::error("{}", outcome.error().text);
                      impl->wanted_targets.erase(device);
                      impl->parts.post(TargetClosed{device});
                    });
}

}  // namespace p2pd
