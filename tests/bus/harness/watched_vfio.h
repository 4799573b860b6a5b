// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A VFIO that writes down every step before another one takes it, in a file that the test reads, and that the test can make
// refuse a kind of step (a file `refuse-STEP`) or wait (a FIFO `gate-STEP`, until it hangs up).
#pragma once

#include <filesystem>

#include "mapping/vfio.h"

namespace p2pd::test {

class StepLog {
 public:
  explicit StepLog(std::filesystem::path directory) : directory_(std::move(directory)) {}
  // Waits at the gate, then refuses, or writes the line.
  [[nodiscard]] Outcome<void> enter(const std::string& step, const std::string& line) const;
  void note(const std::string& line) const;

 private:
  std::filesystem::path directory_;
};

class WatchedVfio : public Vfio {
 public:
  WatchedVfio(Vfio& vfio, std::filesystem::path directory) : vfio_(vfio), log_(std::move(directory)) {}

  [[nodiscard]] std::string name() const override { return vfio_.name(); }
  [[nodiscard]] Outcome<void> probe() const override { return vfio_.probe(); }
  [[nodiscard]] Outcome<std::unique_ptr<OpenedFunction>> open(const Address& address, std::uint32_t iommu_group) override;
  [[nodiscard]] char address_space_suffix() const override { return vfio_.address_space_suffix(); }
  [[nodiscard]] Outcome<void> unmap_all_in(int address_space) override { return vfio_.unmap_all_in(address_space); }

 private:
  Vfio& vfio_;
  StepLog log_;
};

}  // namespace p2pd::test
