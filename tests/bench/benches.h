// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is measured, one file each.
#pragma once

#include <filesystem>

#include "harness/private_bus.h"
#include "table.h"

namespace p2pd::bench {

// Nothing to do: what p2pd needs, and how often it wakes up. `idle_seconds` of it.
void measure_idle(Table& table, const test::PrivateBus& bus, unsigned idle_seconds);

// From exec to READY=1, beside the least that must be done and beside lspci.
void measure_start(Table& table, const test::PrivateBus& bus, const std::filesystem::path& sysfs_root);

// Calls through dbus-daemon, beside a service that thinks about nothing.
void measure_bus(Table& table, const test::PrivateBus& bus, const std::filesystem::path& sysfs_root);

// The judge, in process.
void measure_judge(Table& table, const std::filesystem::path& sysfs_root);

// The pair that is asked about on the generated machine: two endpoints below one switch.
inline constexpr const char* some_initiator = "0000:05:00.0";
inline constexpr const char* some_target = "0000:06:00.0:2";

}  // namespace p2pd::bench
