// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What can be done with a function that is open through VFIO, whichever back end opened it: its BARs, and being told that
// the kernel wants it back.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mapping/kernel_calls.h"
#include "mapping/region.h"
#include "mapping/transaction.h"
#include "mapping/vfio.h"

namespace p2pd {

class VfioFunction : public OpenedFunction {
 public:
  [[nodiscard]] Outcome<CpuMapping> map_bar(unsigned bar, Bytes offset, Bytes length) override;
  [[nodiscard]] Outcome<UniqueFd> export_bar(unsigned bar, Bytes offset, Bytes length) override;
  [[nodiscard]] Outcome<UniqueFd> tell_when_wanted() override;
  [[nodiscard]] Outcome<void> suspend_exports() override;
  [[nodiscard]] Outcome<void> reset() override;
  [[nodiscard]] std::vector<Range<Iova>> valid_iovas() const override { return valid_iovas_; }
  [[nodiscard]] int device_fd() const override { return device_.get(); }

 protected:
  VfioFunction(std::string name, UniqueFd device, std::vector<Range<Iova>> valid_iovas, KernelCalls calls, FaultInjector fail)
      : name_(std::move(name)),
        device_(std::move(device)),
        valid_iovas_(std::move(valid_iovas)),
        calls_(std::move(calls)),
        fail_(std::move(fail)) {}

  [[nodiscard]] const KernelCalls& calls() const { return calls_; }

 private:
  using Command = std::array<std::uint8_t, 2>;

  // Finds the region, switches memory decode on, does the last step; undoes it all when that fails.
  [[nodiscard]] Outcome<void> with_bar(const std::string& what, unsigned bar, Bytes offset, Bytes length, const std::string& step,
                                       const std::function<Outcome<void>(const RegionInfo&)>& run);
  [[nodiscard]] Outcome<void> find_region(unsigned bar, Bytes offset, Bytes length, RegionInfo& region) const;
  [[nodiscard]] Outcome<void> enable_decode(bool& was_enabled) const;
  [[nodiscard]] Outcome<void> disable_decode() const;
  [[nodiscard]] Outcome<Command> read_command() const;
  [[nodiscard]] Outcome<void> write_command(Command command) const;

  std::string name_;
  UniqueFd device_;
  std::vector<Range<Iova>> valid_iovas_;
  KernelCalls calls_;
  FaultInjector fail_;
};

}  // namespace p2pd
