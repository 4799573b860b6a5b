// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A driver that does not let its function go keeps us in the write to sysfs, perhaps for ever: away from the worker that
// unmaps.
#include <utility>

#include "driver/driver.h"
#include "effects/runner_impl.h"

namespace p2pd {

template <class Effect>
void Runner::Impl::change_driver(Effect effect, Outcome<void> (*change)(const DriverPaths&, const std::vector<Address>&, bool)) {
  const auto work = [paths = parts.driver_paths, devices = effect.devices, force = effect.force, change] {
    return change(paths, devices, force);
  };
  drivers.run(work, [this, effect = std::move(effect)](Outcome<void> outcome) mutable {
    parts.post(DriverChanged{effect.request, std::move(effect.devices), std::move(outcome)});
  });
}

void Runner::run(BindToVfio effect) { impl_->change_driver(std::move(effect), bind_to_vfio); }

void Runner::run(UnbindFromVfio effect) { impl_->change_driver(std::move(effect), unbind_from_vfio); }

}  // namespace p2pd
