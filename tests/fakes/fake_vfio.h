// SPDX-License-Identifier: LGPL-2.1-or-later
//
// VFIO and the IOMMU in memory. Groups stay busy while any copy of one of their fds is open anywhere, mappings outlive
// the daemon's own fds, and DMA can be played. Ends the program when the daemon breaks a rule of design §8.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "fake_fd_store.h"
#include "mapping/vfio.h"

namespace p2pd::fakes {

class FakeVfio final : public Vfio {
 public:
  // With a store the rule "in the fd store before the first map" is checked.
  explicit FakeVfio(FakeFdStore* store = nullptr);
  ~FakeVfio() override;

  std::string name() const override { return "vfio-type1"; }
  Outcome<void> probe() const override;
  Outcome<std::unique_ptr<OpenedFunction>> open(const Address& address, std::uint32_t iommu_group) override;
  char address_space_suffix() const override { return 'c'; }
  Outcome<void> unmap_all_in(int address_space) override;

  // ---- for tests

  // From the next open on BARs are mapped as dma-bufs.
  void map_bars_as_dma_buf();
  void set_valid_iovas(std::vector<Range<Iova>> ranges);
  // Else every BAR is mappable and 64 KiB long.
  void set_bar_size(const Address& address, unsigned bar, Bytes size);
  // Makes the next call of this name fail: "open", "map", "unmap", "unmap_all", "map_bar", "export_bar", "reset",
  // "suspend_exports", "tell_when_wanted", "probe", "unmap_all_in".
  void fail_next(const std::string& call, Reason reason);

  // The initiator issues DMA. False: the IOMMU faults it, and nothing changes.
  bool dma_write(const Address& initiator, Iova iova, std::span<const std::byte> bytes);
  std::optional<std::vector<std::byte>> dma_read(const Address& initiator, Iova iova, Bytes length);
  // What the CPU sees in the BAR.
  [[nodiscard]] std::vector<std::byte> bar_bytes(const Address& address, unsigned bar, Bytes offset, Bytes length);

  // Somebody unbinds the function from its driver, or pulls it out: the kernel asks for it once more. False: nobody listens.
  bool want_back(const Address& address);

  [[nodiscard]] std::vector<Range<Iova>> mapped(const Address& initiator);
  // A copy of its fds is open somewhere.
  [[nodiscard]] bool is_open(const Address& address);
  // One line per call: "open 0000:01:00.0", "map 0000:01:00.0 0x1000+0x1000 rw", …
  [[nodiscard]] std::vector<std::string> calls();

  // Closes the fake's own ends of what everybody else has closed: for tests that count fds.
  void forget_closed();

  // A container with these mappings, as a daemon that was killed leaves it.
  [[nodiscard]] UniqueFd leave_behind(const Address& initiator, std::vector<Range<Iova>> ranges);

  struct Kernel;

 private:
  std::shared_ptr<Kernel> kernel_;
};

}  // namespace p2pd::fakes
