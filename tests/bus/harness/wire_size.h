// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How large a message is on the bus. sd-bus does not tell, so its values are counted again.
#pragma once

#include <systemd/sd-bus.h>

#include <cstddef>

namespace p2pd::test {

// Bytes of the body, by the rules of the D-Bus specification ("Marshaling"). Reads the message from its beginning, and rewinds
// it afterwards.
[[nodiscard]] std::size_t body_size(sd_bus_message* message);

}  // namespace p2pd::test
