// SPDX-License-Identifier: LGPL-2.1-or-later
#include <vector>

#include "benches.h"
#include "measured_daemon.h"

namespace p2pd::bench {

void measure_start(Table& table, const test::PrivateBus& bus, const std::filesystem::path& sysfs_root) {
  constexpr int rounds = 5;
  std::vector<double> floor;
  std::vector<double> ours;
  std::vector<double> lspci;
  double resident = 0;
  // In turns, so that whatever else the machine does hits all of them.
  for (int round = 0; round < rounds; ++round) {
    floor.push_back(seconds_to_run({"/proc/self/exe", "--floor", sysfs_root.string()}));
    const MeasuredDaemon daemon(bus, sysfs_root);
    ours.push_back(daemon.seconds_to_start());
    resident = daemon.resident_mib();
    lspci.push_back(seconds_to_run({"/usr/bin/lspci", "-vvv", "-O", "sysfs.path=" + (sysfs_root / "bus/pci").string()}));
  }
  table.add("memory on the generated machine", resident, "MiB", at_most(64));
  table.add("start: reading the attributes, nothing else", median(floor) * 1e3, "ms");
  table.add("start: p2pd", median(ours) * 1e3, "ms");
  table.add("start: lspci -vvv", median(lspci) * 1e3, "ms");
  table.add_ratio("start: p2pd / reading the attributes", median(ours), median(floor), at_most(1.5));
  table.add_ratio("start: p2pd / lspci -vvv", median(ours), median(lspci), at_most(0.5));
}

}  // namespace p2pd::bench
