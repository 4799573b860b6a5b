// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The machine that p2pd finds in the bus tests, as a generated sysfs:
//
//   00:01.0 root port ─ 01:00.0 switch, ACS redirects ─┬ 02:00.0 ─ 03:00.0  a DMA engine, the usual initiator
//                                                      ├ 02:01.0 ─ 04:00.0  memory, the usual target
//                                                      └ 02:02.0 ─ 05:00.0  another DMA engine
//   00:02.0 root port ─ 06:00.0  a disk: MSI-X table in its BAR 0
//   00:03.0 root port ─ 07:00.0  bound to no driver; I/O BAR 1, unassigned BAR 2
//   00:04.0 root port ─ 08:00.0 switch without ACS ─┬ 09:00.0 ─ 0a:00.0  a DMA engine
//                                                   └ 09:01.0 ─ 0b:00.0  memory
//   00:05.0 root port ─ 0c:00.0  a network card, bound to its own driver, interface up
#pragma once

#include "fake_sysfs.h"

namespace p2pd::test {

inline constexpr const char* initiator = "0000:03:00.0";
inline constexpr const char* peer = "0000:04:00.0";
inline constexpr const char* target_bar = "0000:04:00.0:2";  // 1 MiB
inline constexpr std::uint64_t target_length = 0x100000;
inline constexpr const char* other_initiator = "0000:05:00.0";
inline constexpr const char* disk = "0000:06:00.0";
inline constexpr const char* driverless = "0000:07:00.0";
inline constexpr const char* switched_initiator = "0000:0a:00.0";
inline constexpr const char* switched_target_bar = "0000:0b:00.0:2";
inline constexpr std::uint64_t switched_target_address = 0x4100000000;
inline constexpr const char* network_card = "0000:0c:00.0";
inline constexpr const char* root_port = "0000:00:01.0";
inline constexpr const char* nobody_there = "0000:0f:00.0";

void build_machine(FakeSysfs& tree);
// One that is not there at first: 0000:00:1f.0.
inline constexpr const char* late_comer = "0000:00:1f.0";
void add_late_comer(FakeSysfs& tree);

}  // namespace p2pd::test
