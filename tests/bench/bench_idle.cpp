// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "benches.h"
#include "measured_daemon.h"

namespace p2pd::bench {

void measure_idle(Table& table, const test::PrivateBus& bus, unsigned idle_seconds) {
  const MeasuredDaemon daemon(bus, "/sys");
  std::this_thread::sleep_for(std::chrono::seconds(1));  // what follows READY=1
  table.add("memory on this machine", daemon.resident_mib(), "MiB", at_most(8));
  const auto before = daemon.context_switches();
  std::this_thread::sleep_for(std::chrono::seconds(idle_seconds));
  table.add(fmt::format("context switches in {} s of idling", idle_seconds),
            static_cast<double>(daemon.context_switches() - before), "", at_most(0));
}

}  // namespace p2pd::bench
