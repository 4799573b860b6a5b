// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A kernel that answers VFIO's and iommufd's calls from a script, and can be told to refuse each of them.
#pragma once

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mapping/back_end_options.h"
#include "mapping/uapi/vfio_iommufd.h"
#include "mapping/vfio.h"
#include "model/address.h"

namespace p2pd {

inline const Address device{0, 1, 0, 0};
inline constexpr off_t config_offset = off_t{7} << 40;

// What the tests need of vfio.c, group.c, device_cdev.c, vfio_iommu_type1.c, vfio_pci_core.c, vfio_pci_dmabuf.c and iommufd.
class ScriptedKernel {
 public:
  ScriptedKernel() {
    std::filesystem::create_directories(sysfs() / "kernel/iommu_groups/12");
    std::filesystem::create_directories(root_ / "dev");
    write(root_ / "proc/devices", "Character devices:\n 10 misc\n511 vfio-dev\n");
    std::filesystem::create_directories(sysfs() / "bus/pci/devices/0000:01:00.0/vfio-dev/vfio3");
    write(sysfs() / "module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "N");
  }
  ~ScriptedKernel() { std::filesystem::remove_all(root_); }

  BackEndOptions options(FaultInjector fail = {}) {
    return {.device_directory = root_ / "dev",
            .sysfs_root = sysfs(),
            .proc_root = root_ / "proc",
            .calls = {.open = [this](const std::string& path) { return open(path); },
                      .ioctl = [this](int fd, unsigned long request, void* argument) { return ioctl(fd, request, argument); },
                      .mmap_shared = [this](std::size_t length, int protection, int,
                                            off_t offset) { return mmap(length, protection, offset); },
                      .pread = [this](int, void* data, std::size_t, off_t offset) { return read_config(data, offset); },
                      .pwrite = [this](int, const void* data, std::size_t, off_t offset) { return write_config(data, offset); }},
            .fail = std::move(fail)};
  }

  [[nodiscard]] std::filesystem::path sysfs() const { return root_ / "sys"; }
  [[nodiscard]] std::filesystem::path proc() const { return root_ / "proc"; }
  [[nodiscard]] std::filesystem::path dev() const { return root_ / "dev"; }
  static void write(const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }

  // 0 is the call that opens a path.
  std::map<unsigned long, int> errnos;
  std::map<std::string, int> open_errnos;
  std::uint32_t group_flags = VFIO_GROUP_FLAGS_VIABLE;
  int api_version = VFIO_API_VERSION;
  bool has_type1 = true;
  bool has_unmap_all = true;
  bool has_iova_ranges = true;
  std::uint32_t bar_flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP;
  std::uint64_t bar_size = 0x10000;
  std::vector<vfio_region_sparse_mmap_area> sparse;
  std::uint16_t command = PCI_COMMAND_MEMORY;
  int mmap_errno = 0;
  std::uint64_t bytes_unmapped_too_few = 0;
  std::uint32_t next_object = 1;
  bool knows_map_file = true;
  bool exports_dma_bufs = true;
  std::vector<uapi::vfio_device_bind_iommufd> binds;
  std::function<void()> on_bind;
  std::vector<uapi::vfio_device_attach_iommufd_pt> attaches;
  std::vector<uapi::dma_buf_of_one_range> exports;
  std::vector<uapi::iommu_ioas_map> ioas_maps;
  std::vector<uapi::iommu_ioas_map_file> file_maps;
  std::vector<uapi::iommu_ioas_unmap> ioas_unmaps;
  std::vector<vfio_iommu_type1_dma_map> maps;
  std::vector<vfio_iommu_type1_dma_unmap> unmaps;
  std::vector<off_t> mmap_offsets;
  bool has_request_index = true;
  std::uint32_t request_count = 1;
  UniqueFd request_eventfd;  // the kernel's copy of what was set for VFIO_PCI_REQ_IRQ_INDEX

 private:
  int open(const std::string& path) {
    if (const auto found = open_errnos.find(std::filesystem::path(path).filename()); found != open_errnos.end())
      return fail(found->second);
    return ::memfd_create("vfio", MFD_CLOEXEC);
  }

  int ioctl(int fd, unsigned long request, void* argument) {
    if (::fcntl(fd, F_GETFD) < 0) return -1;
    if (const auto found = errnos.find(request); found != errnos.end()) return fail(found->second);
    switch (request) {
      case VFIO_GET_API_VERSION: return api_version;
      case VFIO_CHECK_EXTENSION: return check_extension(reinterpret_cast<std::uintptr_t>(argument));
      case VFIO_GROUP_GET_STATUS: static_cast<vfio_group_status*>(argument)->flags = group_flags; return 0;
      case VFIO_GROUP_GET_DEVICE_FD: return ::memfd_create(static_cast<const char*>(argument), MFD_CLOEXEC);
      case VFIO_IOMMU_GET_INFO: return iommu_info(static_cast<std::byte*>(argument));
      case VFIO_DEVICE_GET_REGION_INFO: return region_info(static_cast<std::byte*>(argument));
      case VFIO_DEVICE_GET_IRQ_INFO: return irq_info(*static_cast<vfio_irq_info*>(argument));
      case VFIO_DEVICE_SET_IRQS: return set_irqs(static_cast<const std::byte*>(argument));
      case VFIO_IOMMU_MAP_DMA: maps.push_back(*static_cast<vfio_iommu_type1_dma_map*>(argument)); return 0;
      case VFIO_IOMMU_UNMAP_DMA: {
        auto& question = *static_cast<vfio_iommu_type1_dma_unmap*>(argument);
        unmaps.push_back(question);
        question.size -= bytes_unmapped_too_few;
        return 0;
      }
      case VFIO_DEVICE_FEATURE: return feature(static_cast<const std::byte*>(argument));
      case uapi::ioas_alloc: static_cast<uapi::iommu_ioas_alloc*>(argument)->out_ioas_id = next_object++; return 0;
      case uapi::bind_iommufd:
        binds.push_back(*static_cast<uapi::vfio_device_bind_iommufd*>(argument));
        if (on_bind) on_bind();
        return 0;
      case uapi::attach_iommufd_pt: attaches.push_back(*static_cast<uapi::vfio_device_attach_iommufd_pt*>(argument)); return 0;
      case uapi::ioas_iova_ranges: return ioas_ranges(*static_cast<uapi::iommu_ioas_iova_ranges*>(argument));
      case uapi::ioas_map: ioas_maps.push_back(*static_cast<uapi::iommu_ioas_map*>(argument)); return 0;
      case uapi::ioas_map_file: return map_file(*static_cast<uapi::iommu_ioas_map_file*>(argument));
      case uapi::ioas_unmap: {
        auto& question = *static_cast<uapi::iommu_ioas_unmap*>(argument);
        ioas_unmaps.push_back(question);
        question.length -= bytes_unmapped_too_few;
        return 0;
      }
      default: return 0;
    }
  }

  int feature(const std::byte* argument) {
    vfio_device_feature header{};
    std::memcpy(&header, argument, sizeof header);
    if ((header.flags & VFIO_DEVICE_FEATURE_MASK) != uapi::feature_dma_buf || !exports_dma_bufs) return fail(ENOTTY);
    if ((header.flags & VFIO_DEVICE_FEATURE_PROBE) != 0) return 0;
    uapi::dma_buf_of_one_range question{};
    if (header.argsz != sizeof question) return fail(EINVAL);
    std::memcpy(&question, argument, sizeof question);
    exports.push_back(question);
    return ::memfd_create("dma-buf", MFD_CLOEXEC);
  }
  // As the kernel: says how many there are when there is too little room.
  static int ioas_ranges(uapi::iommu_ioas_iova_ranges& question) {
    const uapi::iommu_iova_range ranges[] = {{0, 0xfedfffff}, {0xfef00000, 0x7fffffffff}};
    const auto room = std::exchange(question.num_iovas, 2U);
    if (room < 2) return fail(EMSGSIZE);
    std::memcpy(reinterpret_cast<void*>(question.allowed_iovas), ranges, sizeof ranges);
    return 0;
  }
  int map_file(const uapi::iommu_ioas_map_file& question) {
    if (!knows_map_file) return fail(ENOTTY);
    if (question.ioas_id != 1) return fail(ENOENT);
    file_maps.push_back(question);
    return 0;
  }

  [[nodiscard]] int check_extension(std::uintptr_t extension) const {
    if (extension == VFIO_TYPE1v2_IOMMU) return has_type1 ? 1 : 0;
    return extension == VFIO_UNMAP_ALL && has_unmap_all ? 1 : 0;
  }

  // As the kernel: says how much room it needs, fills only when there is that much.
  int iommu_info(std::byte* argument) const {
    constexpr std::uint32_t header = sizeof(vfio_iommu_type1_info);
    vfio_iommu_type1_info info{};
    std::memcpy(&info, argument, header);
    const auto room = info.argsz;
    vfio_iommu_type1_info_cap_iova_range capability{};
    capability.header = {VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1, 0};
    capability.nr_iovas = 2;
    const vfio_iova_range ranges[] = {{0, 0xfedfffff}, {0xfef00000, 0x7fffffffff}};
    info.flags = VFIO_IOMMU_INFO_PGSIZES | (has_iova_ranges ? VFIO_IOMMU_INFO_CAPS : 0U);
    info.argsz = header + sizeof capability + sizeof ranges;
    info.cap_offset = room >= info.argsz ? header : 0;
    std::memcpy(argument, &info, header);
    if (room < info.argsz) return 0;
    std::memcpy(argument + header, &capability, sizeof capability);
    std::memcpy(argument + header + sizeof capability, ranges, sizeof ranges);
    return 0;
  }

  int region_info(std::byte* argument) const {
    constexpr std::uint32_t header = sizeof(vfio_region_info);
    vfio_region_info info{};
    std::memcpy(&info, argument, header);
    const auto room = info.argsz;
    info.offset = std::uint64_t{info.index} << 40;
    if (info.index == VFIO_PCI_CONFIG_REGION_INDEX) {
      info.size = 4096;
      info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
      std::memcpy(argument, &info, header);
      return 0;
    }
    info.size = bar_size;
    info.flags = bar_flags;
    vfio_region_info_cap_sparse_mmap capability{};
    const auto areas = static_cast<std::uint32_t>(sparse.size() * sizeof(vfio_region_sparse_mmap_area));
    if (!sparse.empty()) {
      info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
      info.argsz = header + static_cast<std::uint32_t>(sizeof capability) + areas;
      capability.header = {VFIO_REGION_INFO_CAP_SPARSE_MMAP, 1, 0};
      capability.nr_areas = static_cast<std::uint32_t>(sparse.size());
      info.cap_offset = room >= info.argsz ? header : 0;
    }
    std::memcpy(argument, &info, header);
    if (info.cap_offset == 0) return 0;
    std::memcpy(argument + header, &capability, sizeof capability);
    std::memcpy(argument + header + sizeof capability, sparse.data(), areas);
    return 0;
  }

  int irq_info(vfio_irq_info& info) const {
    if (info.argsz < sizeof info || info.index != VFIO_PCI_REQ_IRQ_INDEX || !has_request_index) return fail(EINVAL);
    info.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
    info.count = request_count;
    return 0;
  }
  int set_irqs(const std::byte* argument) {
    vfio_irq_set set{};
    std::memcpy(&set, argument, sizeof set);
    if (set.argsz != sizeof set + sizeof(std::int32_t) || set.index != VFIO_PCI_REQ_IRQ_INDEX || set.start != 0 ||
        set.count != 1 || set.flags != (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER))
      return fail(EINVAL);
    std::int32_t eventfd = -1;
    std::memcpy(&eventfd, argument + sizeof set, sizeof eventfd);
    request_eventfd = UniqueFd::duplicate(eventfd);
    return 0;
  }

  void* mmap(std::size_t length, int protection, off_t offset) {
    if (mmap_errno != 0) {
      errno = mmap_errno;
      return MAP_FAILED;
    }
    mmap_offsets.push_back(offset);
    return ::mmap(nullptr, length, protection, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  }

  ssize_t read_config(void* data, off_t offset) const {
    if (offset != config_offset + PCI_COMMAND) return fail(EINVAL);
    std::memcpy(data, &command, sizeof command);
    return sizeof command;
  }
  ssize_t write_config(const void* data, off_t offset) {
    if (offset != config_offset + PCI_COMMAND) return fail(EINVAL);
    std::memcpy(&command, data, sizeof command);
    return sizeof command;
  }

  static int fail(int error) {
    errno = error;
    return -1;
  }

  static std::filesystem::path make_root() {
    std::string name = (std::filesystem::temp_directory_path() / "vfio-XXXXXX").string();
    return ::mkdtemp(name.data());
  }
  std::filesystem::path root_ = make_root();
};

inline DmaMemory one_page() { return CpuMapping(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096); }

}  // namespace p2pd
