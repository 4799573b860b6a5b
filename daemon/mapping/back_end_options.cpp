// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/back_end_options.h"

#include <fstream>

namespace p2pd {

namespace {

std::string first_word(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string word;
  stream >> word;
  return word;
}

}  // namespace

Outcome<void> refuse_unsafe_interrupts(const BackEndOptions& options) {
  for (const auto* module : {"vfio_iommu_type1", "iommufd"}) {
    const auto file = options.sysfs_root / "module" / module / "parameters/allow_unsafe_interrupts";
    if (first_word(file) == "Y")
      return refuse(ErrorCode::blocked,
                    "allow_unsafe_interrupts is set: nothing is lent while a device may raise any interrupt; take it out of "
                    "modprobe.d, echo N > " +
                        file.string() + " [unsafe-interrupts]");
  }
  return {};
}

Outcome<void> refuse_no_iommu(const BackEndOptions& options) {
  std::error_code error;
  if (!std::filesystem::is_empty(options.sysfs_root / "kernel/iommu_groups", error) && !error) return {};
  return refuse(ErrorCode::not_supported,
                "there is no IOMMU group: switch the IOMMU on (firmware setting VT-d or AMD-Vi, boot argument intel_iommu=on)");
}

// vfio.c gives such groups this name, and their node another one than ours.
Outcome<void> refuse_noiommu_group(const BackEndOptions& options, std::uint32_t iommu_group) {
  const auto group = std::to_string(iommu_group);
  std::error_code ignored;
  if (first_word(options.sysfs_root / "kernel/iommu_groups" / group / "name") != "vfio-noiommu" &&
      !std::filesystem::exists(options.device_directory / "vfio" / ("noiommu-" + group), ignored))
    return {};
  return refuse(ErrorCode::blocked, "no IOMMU stands between this group and memory: it is never lent [no-iommu]");
}

}  // namespace p2pd
