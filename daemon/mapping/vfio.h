// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The seam to the kernel's VFIO: open a function in an address space of its own, map, unmap, unmap all. Real: iommufd,
// type1. In bus tests: a fake that checks the same invariants.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "model/access.h"
#include "model/address.h"
#include "model/reason.h"
#include "model/unique_fd.h"
#include "model/units.h"

namespace p2pd {

// CPU mapping of memory or of a BAR; unmapped when it goes.
class CpuMapping {
 public:
  CpuMapping() = default;
  CpuMapping(void* begin, std::size_t length) : begin_(begin), length_(length) {}
  CpuMapping(CpuMapping&& other) noexcept;
  CpuMapping& operator=(CpuMapping&& other) noexcept;
  CpuMapping(const CpuMapping&) = delete;
  CpuMapping& operator=(const CpuMapping&) = delete;
  ~CpuMapping();

  [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(begin_); }
  [[nodiscard]] std::size_t size() const { return length_; }

 private:
  void* begin_ = nullptr;
  std::size_t length_ = 0;
};

// What an initiator is to reach: a client's memory or a BAR in our own address space, or a BAR as a dma-buf.
using DmaMemory = std::variant<CpuMapping, UniqueFd>;

// One function opened through VFIO, alone in its address space. Used by the worker only.
// Destruction closes the fds and unmaps NOTHING in the IOMMU when somebody else keeps the device fd (it pins group and
// container): call unmap_all() first.
class OpenedFunction {
 public:
  virtual ~OpenedFunction() = default;

  // `memory` must stay as it is in this process until the unmap. A client's is always a CPU mapping.
  [[nodiscard]] virtual Outcome<void> map(Range<Iova> iova, const DmaMemory& memory, Access access) = 0;
  // Which of the two a BAR has to be for map().
  [[nodiscard]] virtual bool maps_bars_as_dma_buf() const = 0;
  [[nodiscard]] virtual Outcome<void> unmap(Range<Iova> iova) = 0;
  [[nodiscard]] virtual Outcome<void> unmap_all() = 0;

  // CPU mapping of a page-aligned part of a BAR; NotSupported when VFIO does not let it be mapped.
  [[nodiscard]] virtual Outcome<CpuMapping> map_bar(unsigned bar, Bytes offset, Bytes length) = 0;
  // The same part as a dma-buf: it loses its memory when the function is reset through VFIO, stops decoding, or is closed.
  [[nodiscard]] virtual Outcome<UniqueFd> export_bar(unsigned bar, Bytes offset, Bytes length) = 0;

  // An eventfd that the kernel signals, again and again, while somebody waits for the function to be closed: it is being
  // unbound from its driver or pulled out. NotSupported when the kernel cannot say so. Good only while nobody else has the
  // device fd: whoever does can put an eventfd of their own in its place.
  [[nodiscard]] virtual Outcome<UniqueFd> tell_when_wanted() = 0;

  // Takes the memory away from everybody who has imported a part of it, until memory decode is switched on again: every map
  // of a BAR does that. For good it is gone only with the last close of the function.
  [[nodiscard]] virtual Outcome<void> suspend_exports() = 0;

  // The function alone. NotSupported when the hardware knows no such reset. BARs are where they were; what was exported of
  // them has lost its memory.
  [[nodiscard]] virtual Outcome<void> reset() = 0;

  [[nodiscard]] virtual std::vector<Range<Iova>> valid_iovas() const = 0;
  [[nodiscard]] virtual int device_fd() const = 0;
  // What must survive the daemon: address space, group, device, each with a suffix for its name ('g', 'd').
  struct Keep {
    int fd;
    char suffix;
  };
  [[nodiscard]] virtual std::vector<Keep> fds_to_keep() const = 0;
};

class Vfio {
 public:
  virtual ~Vfio() = default;
  [[nodiscard]] virtual std::string name() const = 0;  // "iommufd", "vfio-type1"
  // Nothing when it can work on this machine; else why not and what to do.
  [[nodiscard]] virtual Outcome<void> probe() const = 0;
  [[nodiscard]] virtual Outcome<std::unique_ptr<OpenedFunction>> open(const Address& address, std::uint32_t iommu_group) = 0;
  // The suffix of the fd among fds_to_keep() by which everything can be unmapped.
  [[nodiscard]] virtual char address_space_suffix() const = 0;
  // What the last daemon left under that suffix in the fd store: unmaps everything in it.
  [[nodiscard]] virtual Outcome<void> unmap_all_in(int address_space) = 0;
};

}  // namespace p2pd
