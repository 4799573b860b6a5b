// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/type1_function.h"

#include <fmt/format.h>
#include <linux/vfio.h>

#include <bit>
#include <cerrno>

#include "mapping/iova.h"
#include "mapping/vfio_failure.h"
#include "mapping/vfio_function.h"

namespace p2pd {

namespace {

// From the initiator's view: READ = it may read from there.
std::uint32_t map_flags(Access access) {
  std::uint32_t flags = 0;
  if (allows(access, Access::read)) flags |= VFIO_DMA_MAP_FLAG_READ;
  if (allows(access, Access::write)) flags |= VFIO_DMA_MAP_FLAG_WRITE;
  return flags;
}

class Type1Function final : public VfioFunction {
 public:
  Type1Function(std::string name, Type1Files files, std::vector<Range<Iova>> valid_iovas, KernelCalls calls, FaultInjector fail)
      : VfioFunction(std::move(name), std::move(files.device), std::move(valid_iovas), std::move(calls), std::move(fail)),
        group_(std::move(files.group)),
        container_(std::move(files.container)) {}

  Outcome<void> map(Range<Iova> iova, const DmaMemory& memory, Access access) override {
    const auto* mapped = std::get_if<CpuMapping>(&memory);
    if (mapped == nullptr) return refuse(ErrorCode::not_supported, "type1 maps no dma-buf");
    vfio_iommu_type1_dma_map question{};
    question.argsz = sizeof question;
    question.flags = map_flags(access);
    question.vaddr = std::bit_cast<std::uintptr_t>(mapped->data());
    question.iova = iova.begin.value;
    question.size = iova.length.value;
    if (calls().ioctl(container_.get(), VFIO_IOMMU_MAP_DMA, &question) < 0)
      return refuse_vfio(VfioCall::map, text_of(iova), errno);
    return {};
  }

  // A BAR has no pages to pin, but its CPU mapping will do: vfio_iommu_type1.c follow_fault_pfn().
  [[nodiscard]] bool maps_bars_as_dma_buf() const override { return false; }

  Outcome<void> unmap(Range<Iova> iova) override {
    vfio_iommu_type1_dma_unmap question{};
    question.argsz = sizeof question;
    question.iova = iova.begin.value;
    question.size = iova.length.value;
    if (calls().ioctl(container_.get(), VFIO_IOMMU_UNMAP_DMA, &question) < 0)
      return refuse_vfio(VfioCall::unmap, text_of(iova), errno);
    // The kernel unmaps what is inside of the range and says how much that was; nothing is no error to it.
    if (question.size != iova.length.value)
      return refuse(ErrorCode::failed, fmt::format("{}: only {:#x} bytes of it were mapped", text_of(iova), question.size));
    return {};
  }

  Outcome<void> unmap_all() override { return unmap_whole_container(calls(), container_.get()); }

  [[nodiscard]] std::vector<Keep> fds_to_keep() const override {
    return {{container_.get(), type1_suffix}, {group_.get(), 'g'}, {device_fd(), 'd'}};
  }

 private:
  UniqueFd group_;
  UniqueFd container_;
};

Outcome<void> unmap_range(const KernelCalls& calls, int container, std::uint64_t begin, std::uint64_t length,
                          std::uint32_t flags) {
  vfio_iommu_type1_dma_unmap question{};
  question.argsz = sizeof question;
  question.flags = flags;
  question.iova = begin;
  question.size = length;
  if (calls.ioctl(container, VFIO_IOMMU_UNMAP_DMA, &question) < 0) return refuse_vfio(VfioCall::unmap, "the container", errno);
  return {};
}

}  // namespace

Outcome<void> unmap_whole_container(const KernelCalls& calls, int container) {
  if (calls.ioctl(container, VFIO_CHECK_EXTENSION, as_argument(VFIO_UNMAP_ALL)) > 0)
    return unmap_range(calls, container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL);
  // Before Linux 5.12: two halves, because 2^64 is no length. No mapping lies across the middle: no IOMMU of ours has
  // such an aperture in one piece (canonical addresses).
  constexpr std::uint64_t half = std::uint64_t{1} << 63;
  if (auto done = unmap_range(calls, container, 0, half, 0); !done) return done;
  return unmap_range(calls, container, half, half, 0);
}

std::unique_ptr<OpenedFunction> make_type1_function(std::string name, Type1Files files, std::vector<Range<Iova>> valid_iovas,
                                                    KernelCalls calls, FaultInjector fail) {
  return std::make_unique<Type1Function>(std::move(name), std::move(files), std::move(valid_iovas), std::move(calls),
                                         std::move(fail));
}

}  // namespace p2pd
