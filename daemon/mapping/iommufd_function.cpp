// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/iommufd_function.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <limits>

#include "mapping/iova.h"
#include "mapping/uapi/vfio_iommufd.h"
#include "mapping/vfio_failure.h"
#include "mapping/vfio_function.h"

namespace p2pd {

namespace {

// From the initiator's view: readable = it may read from there.
std::uint32_t ioas_map_flags(Access access) {
  std::uint32_t flags = uapi::map_fixed_iova;
  if (allows(access, Access::read)) flags |= uapi::map_readable;
  if (allows(access, Access::write)) flags |= uapi::map_writeable;
  return flags;
}

// How much that was. ENOENT is the caller's to understand.
int unmap_range(const KernelCalls& calls, int iommufd, std::uint64_t begin, std::uint64_t& length) {
  uapi::iommu_ioas_unmap question{};
  question.size = sizeof question;
  question.ioas_id = first_object;
  question.iova = begin;
  question.length = length;
  if (calls.ioctl(iommufd, uapi::ioas_unmap, &question) < 0) return errno;
  length = question.length;
  return 0;
}

class IommufdFunction final : public VfioFunction {
 public:
  IommufdFunction(std::string name, IommufdFiles files, std::vector<Range<Iova>> valid_iovas, KernelCalls calls,
                  FaultInjector fail)
      : VfioFunction(std::move(name), std::move(files.device), std::move(valid_iovas), std::move(calls), std::move(fail)),
        iommufd_(std::move(files.iommufd)) {}

  Outcome<void> map(Range<Iova> iova, const DmaMemory& memory, Access access) override {
    if (const auto* mapped = std::get_if<CpuMapping>(&memory)) return map_memory(iova, *mapped, access);
    return map_dma_buf(iova, std::get<UniqueFd>(memory).get(), access);
  }

  // A BAR has no pages that iommufd could pin: platform-knowledge §4.3, iommufd/pages.c.
  [[nodiscard]] bool maps_bars_as_dma_buf() const override { return true; }

  Outcome<void> unmap(Range<Iova> iova) override {
    auto length = iova.length.value;
    if (const int error = unmap_range(calls(), iommufd_.get(), iova.begin.value, length); error != 0)
      return refuse_vfio(VfioCall::unmap, text_of(iova), error);
    if (length != iova.length.value)
      return refuse(ErrorCode::failed, fmt::format("{}: {:#x} bytes were unmapped", text_of(iova), length));
    return {};
  }

  Outcome<void> unmap_all() override { return unmap_whole_ioas(calls(), iommufd_.get()); }

  [[nodiscard]] std::vector<Keep> fds_to_keep() const override { return {{iommufd_.get(), iommufd_suffix}, {device_fd(), 'd'}}; }

 private:
  [[nodiscard]] Outcome<void> map_memory(Range<Iova> iova, const CpuMapping& memory, Access access) const {
    uapi::iommu_ioas_map question{};
    question.size = sizeof question;
    question.flags = ioas_map_flags(access);
    question.ioas_id = first_object;
    question.user_va = std::bit_cast<std::uintptr_t>(memory.data());
    question.length = iova.length.value;
    question.iova = iova.begin.value;
    if (calls().ioctl(iommufd_.get(), uapi::ioas_map, &question) < 0) return refuse_vfio(VfioCall::map, text_of(iova), errno);
    return {};
  }

  [[nodiscard]] Outcome<void> map_dma_buf(Range<Iova> iova, int dma_buf, Access access) const {
    uapi::iommu_ioas_map_file question{};
    question.size = sizeof question;
    question.flags = ioas_map_flags(access);
    question.ioas_id = first_object;
    question.fd = dma_buf;
    question.length = iova.length.value;
    question.iova = iova.begin.value;
    if (calls().ioctl(iommufd_.get(), uapi::ioas_map_file, &question) < 0)
      return refuse_vfio(VfioCall::map_dma_buf, text_of(iova), errno);
    return {};
  }

  UniqueFd iommufd_;
};

}  // namespace

Outcome<void> read_ioas_iovas(const KernelCalls& calls, int iommufd, std::vector<Range<Iova>>& ranges) {
  // More holes than this no IOMMU has; the kernel says EMSGSIZE if one does.
  std::vector<uapi::iommu_iova_range> room(256);
  uapi::iommu_ioas_iova_ranges question{};
  question.size = sizeof question;
  question.ioas_id = first_object;
  question.num_iovas = static_cast<std::uint32_t>(room.size());
  question.allowed_iovas = std::bit_cast<std::uintptr_t>(room.data());
  if (calls.ioctl(iommufd, uapi::ioas_iova_ranges, &question) < 0)
    return refuse_vfio(VfioCall::other, "IOMMU_IOAS_IOVA_RANGES", errno);
  room.resize(std::min<std::size_t>(room.size(), question.num_iovas));
  for (const auto& [first, last] : room)
    if (const auto range = valid_range(first, last)) ranges.push_back(*range);
  return {};
}

Outcome<void> unmap_whole_ioas(const KernelCalls& calls, int iommufd) {
  // 0 and all ones is the kernel's word for everything, and an empty IOAS is no error to it: iopt_unmap_all().
  auto all = std::numeric_limits<std::uint64_t>::max();
  if (const int error = unmap_range(calls, iommufd, 0, all); error != 0)
    return refuse_vfio(VfioCall::unmap, "the address space", error);
  return {};
}

std::unique_ptr<OpenedFunction> make_iommufd_function(std::string name, IommufdFiles files, std::vector<Range<Iova>> valid_iovas,
                                                      KernelCalls calls, FaultInjector fail) {
  return std::make_unique<IommufdFunction>(std::move(name), std::move(files), std::move(valid_iovas), std::move(calls),
                                           std::move(fail));
}

}  // namespace p2pd
