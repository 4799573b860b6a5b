// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A dump of this machine, as `lspci -xxxx` prints it and read_dump() reads it, with what sysfs tells besides: sizes of
// BARs, IOMMU group, NUMA node, driver.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "model/reason.h"

namespace p2pd {

struct CaptureOptions {
  std::filesystem::path sysfs_root = "/sys";
  // Leaves out names of devices and drivers, and all of config space that strip_config() does not keep.
  bool strip = false;
};

struct Captured {
  std::size_t functions = 0;
  std::size_t cut = 0;  // of them, those whose config space could not be read to its end
};

// Gives the text function by function, by address; every function of sysfs has its heading, whether or not anything of it
// could be read. Reading wakes what sleeps, as lspci does. `write` returns false when nobody takes it any more, which ends it.
[[nodiscard]] Outcome<Captured> capture(const CaptureOptions& options, const std::function<bool(const std::string&)>& write);

// What the rules read of a config space, all else zero: the header, the lists of capabilities, and the contents of those
// that are decoded here. So there is no serial number in it, no VPD, nothing that a vendor put into registers of its own.
[[nodiscard]] std::vector<std::uint8_t> strip_config(std::span<const std::uint8_t> config);

}  // namespace p2pd
