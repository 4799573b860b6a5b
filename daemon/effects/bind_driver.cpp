// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/runner_impl.h"

namespace p2pd {

Outcome<void> KernelObjects::bind(const BindToVfio& effect) const {
  return bind_to_vfio(driver_paths_, effect.device, effect.force);
}

Outcome<void> KernelObjects::unbind(const UnbindFromVfio& effect) const {
  return unbind_from_vfio(driver_paths_, effect.device, effect.force);
}

void Runner::run(BindToVfio effect) {
  impl_->worker.run([impl = impl_.get(), effect] { return impl->kernel.bind(effect); },
                    [impl = impl_.get(), effect](Outcome<void> outcome) {
                      impl->parts.post(DriverChanged{effect.request, effect.device, std::move(outcome)});
                    });
}

void Runner::run(UnbindFromVfio effect) {
  impl_->worker.run([impl = impl_.get(), effect] { return impl->kernel.unbind(effect); },
                    [impl = impl_.get(), effect](Outcome<void> outcome) {
                      impl->parts.post(DriverChanged{effect.request, effect.device, std::move(outcome)});
                    });
}

}  // namespace p2pd
