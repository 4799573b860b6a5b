// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A driver that does not let its function go keeps us in the write to sysfs, perhaps for ever: away from the worker that
// unmaps.
#include "driver/driver.h"
#include "effects/runner_impl.h"

namespace p2pd {

template <class Effect>
void Runner::Impl::change_driver(const Effect& effect,
                                 Outcome<void> (*change)(const DriverPaths&, const std::vector<Address>&, bool)) {
  drivers.run(
      [paths = parts.driver_paths, effect, change] { return change(paths, effect.devices, effect.force); },
      [this, effect](Outcome<void> outcome) { parts.post(DriverChanged{effect.request, effect.devices, std::move(outcome)}); });
}

void Runner::run(const BindToVfio& effect) { impl_->change_driver(effect, bind_to_vfio); }

void Runner::run(const UnbindFromVfio& effect) { impl_->change_driver(effect, unbind_from_vfio); }

}  // namespace p2pd
