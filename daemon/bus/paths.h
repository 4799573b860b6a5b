// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Object paths: opaque to clients, made and read here only. path_of(GrantId) is in bus/service.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "arbiter/ids.h"
#include "model/address.h"

namespace p2pd {

inline constexpr const char* root_path = "/org/p2pd1";
inline constexpr const char* device_prefix = "/org/p2pd1/device";

inline constexpr const char* manager_interface = "org.p2pd1.Manager";
inline constexpr const char* device_interface = "org.p2pd1.Device";
inline constexpr const char* holding_interface = "org.p2pd1.Holding";
inline constexpr const char* mapping_interface = "org.p2pd1.Mapping";

[[nodiscard]] std::string path_of(const Address& address);
// Nothing for anything but exactly what path_of() makes: one object has one path.
[[nodiscard]] std::optional<Address> device_at(const char* path);
[[nodiscard]] std::optional<HoldingId> holding_at(std::string_view path);

}  // namespace p2pd
