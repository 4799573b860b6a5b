// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Methods of org.p2pd1.Device as requests.
#pragma once

#include "bus/intake.h"
#include "model/address.h"

namespace p2pd {

[[nodiscard]] Outcome<Ask> ask_enable(sd_bus_message* call, const Address& device);
[[nodiscard]] Outcome<Ask> ask_disable(sd_bus_message* call, const Address& device);
[[nodiscard]] Outcome<Ask> ask_offer(sd_bus_message* call, const Address& device);
[[nodiscard]] Outcome<Ask> ask_withdraw(sd_bus_message* call, const Address& device);
[[nodiscard]] Outcome<Ask> ask_bind(sd_bus_message* call, const Address& device);
[[nodiscard]] Outcome<Ask> ask_unbind(sd_bus_message* call, const Address& device);
[[nodiscard]] Outcome<Ask> ask_reset(sd_bus_message* call, const Address& device);

}  // namespace p2pd
