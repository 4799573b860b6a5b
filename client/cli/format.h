// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

#include "p2pclient/device.h"
#include "p2pclient/monitor.h"

namespace p2pclient::cli {

// "0x1d": at least `digits` digits.
[[nodiscard]] std::string hex(std::uint64_t value, int digits = 1);
// The same without 0x, as lspci prints ids.
[[nodiscard]] std::string id(std::uint64_t value, int digits);
// 4K, 16M, 2G when it is a whole number of them, else bytes.
[[nodiscard]] std::string size(std::uint64_t bytes);
// "8 GT/s x4"; "8 GT/s x4 of 16 GT/s x8" when it can do more.
[[nodiscard]] std::string link(const Link& link);
// Vendor and device, by name where there is one, else by id.
[[nodiscard]] std::string title(const Device& device);
// "Memory controller", or the class code.
[[nodiscard]] std::string class_title(const Device& device);
// What a change is about: "function", "holding", "mapping"; "" when about p2pd itself.
[[nodiscard]] std::string kind(const Change& change);

}  // namespace p2pclient::cli
