// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/type1_info.h"

#include <linux/vfio.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>

#include "mapping/vfio_failure.h"

namespace p2pd {

namespace {

// False when it is cut short. No optional: some of these structures end in an array without a length.
template <class T>
bool read_at(std::span<const std::byte> buffer, std::size_t offset, T& value) {
  if (offset > buffer.size() || buffer.size() - offset < sizeof(T)) return false;
  std::memcpy(&value, buffer.data() + offset, sizeof(T));
  return true;
}

// Calls twice: the first answer says how much room the capabilities need.
template <class Info>
Outcome<std::vector<std::byte>> read_info(const KernelCalls& calls, int fd, unsigned long request, const char* what,
                                          Info question) {
  question.argsz = sizeof(Info);
  if (calls.ioctl(fd, request, &question) < 0) return refuse_vfio(VfioCall::other, what, errno);
  // The kernel never needs more than some pages; what it says is checked like everybody's numbers.
  constexpr std::size_t limit = std::size_t{1} << 20;
  std::vector<std::byte> buffer(std::clamp<std::size_t>(question.argsz, sizeof(Info), limit));
  question.argsz = static_cast<std::uint32_t>(buffer.size());
  std::memcpy(buffer.data(), &question, sizeof(Info));
  if (calls.ioctl(fd, request, buffer.data()) < 0) return refuse_vfio(VfioCall::other, what, errno);
  return buffer;
}

// Where the capability begins in the buffer.
std::optional<std::size_t> find_capability(std::span<const std::byte> buffer, std::size_t first, std::uint16_t id) {
  // No chain is longer than this: a loop in it ends.
  constexpr int longest_chain = 64;
  std::size_t offset = first;
  for (int count = 0; offset != 0 && count < longest_chain; ++count) {
    vfio_info_cap_header header{};
    if (!read_at(buffer, offset, header)) return std::nullopt;
    if (header.id == id) return offset;
    offset = header.next;
  }
  return std::nullopt;
}

}  // namespace

Outcome<std::vector<Range<Iova>>> read_valid_iovas(const KernelCalls& calls, int container) {
  const auto buffer = read_info(calls, container, VFIO_IOMMU_GET_INFO, "VFIO_IOMMU_GET_INFO", vfio_iommu_type1_info{});
  if (!buffer) return tl::unexpected(buffer.error());
  vfio_iommu_type1_info info{};
  const auto refused = [] { return refuse(ErrorCode::not_supported, "the kernel does not tell which IOVAs are valid"); };
  if (!read_at(*buffer, 0, info) || (info.flags & VFIO_IOMMU_INFO_CAPS) == 0) return refused();
  const auto at = find_capability(*buffer, info.cap_offset, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
  if (!at) return refused();
  std::uint32_t count = 0;
  if (!read_at(*buffer, *at + offsetof(vfio_iommu_type1_info_cap_iova_range, nr_iovas), count)) return refused();

  std::vector<Range<Iova>> ranges;
  for (std::uint32_t index = 0; index < count; ++index) {
    vfio_iova_range range{};
    if (!read_at(*buffer, *at + offsetof(vfio_iommu_type1_info_cap_iova_range, iova_ranges) + index * sizeof range, range))
      return refused();
    if (range.end < range.start) continue;
    const auto span = range.end - range.start;
    // All 64 bits have no length in 64 bits: the last byte is left out.
    const auto length = span == std::numeric_limits<std::uint64_t>::max() ? span : span + 1;
    ranges.push_back({Iova{range.start}, Bytes{length}});
  }
  return ranges;
}

bool RegionInfo::can_map(Bytes offset, Bytes length) const {
  if (!is_mappable || length.value == 0 || offset.value > size.value || length.value > size.value - offset.value) return false;
  if (!mappable_areas) return true;
  return std::any_of(mappable_areas->begin(), mappable_areas->end(), [&](const Area& area) {
    return offset.value >= area.offset && offset.value - area.offset <= area.size &&
           length.value <= area.size - (offset.value - area.offset);
  });
}

Outcome<RegionInfo> read_region(const KernelCalls& calls, int device, unsigned index) {
  vfio_region_info question{};
  question.index = index;
  const auto buffer = read_info(calls, device, VFIO_DEVICE_GET_REGION_INFO, "VFIO_DEVICE_GET_REGION_INFO", question);
  if (!buffer) return tl::unexpected(buffer.error());
  vfio_region_info info{};
  if (!read_at(*buffer, 0, info)) return refuse(ErrorCode::failed, "VFIO_DEVICE_GET_REGION_INFO: cut short");

  RegionInfo region{.size = Bytes{info.size},
                    .file_offset = static_cast<off_t>(info.offset),
                    .is_readable = (info.flags & VFIO_REGION_INFO_FLAG_READ) != 0,
                    .is_writable = (info.flags & VFIO_REGION_INFO_FLAG_WRITE) != 0,
                    .is_mappable = (info.flags & VFIO_REGION_INFO_FLAG_MMAP) != 0,
                    .mappable_areas = {}};
  if ((info.flags & VFIO_REGION_INFO_FLAG_CAPS) == 0) return region;
  const auto at = find_capability(*buffer, info.cap_offset, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
  if (!at) return region;
  std::uint32_t count = 0;
  if (!read_at(*buffer, *at + offsetof(vfio_region_info_cap_sparse_mmap, nr_areas), count))
    return refuse(ErrorCode::failed, "VFIO_DEVICE_GET_REGION_INFO: cut short");
  region.mappable_areas.emplace();
  for (std::uint32_t number = 0; number < count; ++number) {
    vfio_region_sparse_mmap_area area{};
    if (!read_at(*buffer, *at + offsetof(vfio_region_info_cap_sparse_mmap, areas) + number * sizeof(vfio_region_sparse_mmap_area),
                 area))
      break;
    region.mappable_areas->push_back({area.offset, area.size});
  }
  return region;
}

}  // namespace p2pd
