// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/type1_function.h"

#include <fmt/format.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/mman.h>

#include <array>
#include <bit>
#include <cerrno>

#include "mapping/type1_info.h"
#include "mapping/type1_wanted.h"
#include "mapping/vfio_failure.h"

namespace p2pd {

namespace {

std::string text_of(const Range<Iova>& iova) { return fmt::format("IOVA {:#x}+{:#x}", iova.begin.value, iova.length.value); }

// From the initiator's view: READ = it may read from there.
std::uint32_t map_flags(Access access) {
  std::uint32_t flags = 0;
  if (allows(access, Access::read)) flags |= VFIO_DMA_MAP_FLAG_READ;
  if (allows(access, Access::write)) flags |= VFIO_DMA_MAP_FLAG_WRITE;
  return flags;
}

class Type1Function final : public OpenedFunction {
 public:
  Type1Function(std::string name, Type1Files files, std::vector<Range<Iova>> valid_iovas, KernelCalls calls, FaultInjector fail)
      : name_(std::move(name)),
        files_(std::move(files)),
        valid_iovas_(std::move(valid_iovas)),
        calls_(std::move(calls)),
        fail_(std::move(fail)) {}

  Outcome<void> map(Range<Iova> iova, std::byte* memory, Access access) override {
    vfio_iommu_type1_dma_map question{};
    question.argsz = sizeof question;
    question.flags = map_flags(access);
    question.vaddr = std::bit_cast<std::uintptr_t>(memory);
    question.iova = iova.begin.value;
    question.size = iova.length.value;
    if (calls_.ioctl(files_.container.get(), VFIO_IOMMU_MAP_DMA, &question) < 0)
      return refuse_vfio(VfioCall::map, text_of(iova), errno);
    return {};
  }

  Outcome<void> unmap(Range<Iova> iova) override {
    vfio_iommu_type1_dma_unmap question{};
    question.argsz = sizeof question;
    question.iova = iova.begin.value;
    question.size = iova.length.value;
    if (calls_.ioctl(files_.container.get(), VFIO_IOMMU_UNMAP_DMA, &question) < 0)
      return refuse_vfio(VfioCall::unmap, text_of(iova), errno);
    // The kernel unmaps what is inside of the range and says how much that was; nothing is no error to it.
    if (question.size != iova.length.value)
      return refuse(ErrorCode::failed, fmt::format("{}: only {:#x} bytes of it were mapped", text_of(iova), question.size));
    return {};
  }

  Outcome<void> unmap_all() override { return unmap_whole_container(calls_, files_.container.get()); }

  Outcome<CpuMapping> map_bar(unsigned bar, Bytes offset, Bytes length) override {
    Transaction transaction(fmt::format("map BAR {} of {}", bar, name_), fail_);
    RegionInfo region;
    CpuMapping mapping;

    if (auto done = transaction.run({"read region", [&] { return find_region(bar, offset, length, region); }, {}}); !done)
      return tl::unexpected(done.error());
    bool was_enabled = true;
    if (auto done = transaction.run({"enable memory decode", [&] { return enable_decode(was_enabled); },
                                     [&] {
                                       if (!was_enabled) disable_decode();
                                     }});
        !done)
      return tl::unexpected(done.error());
    const auto map = [&]() -> Outcome<void> {
      const int protection = (region.is_readable ? PROT_READ : 0) | (region.is_writable ? PROT_WRITE : 0);
      void* begin = calls_.mmap_shared(length.value, protection, files_.device.get(),
                                       region.file_offset + static_cast<off_t>(offset.value));
      if (begin == MAP_FAILED)
        return refuse_vfio(VfioCall::map_bar, fmt::format("{}:{}:{:#x}+{:#x}", name_, bar, offset.value, length.value), errno);
      mapping = CpuMapping(begin, length.value);
      return {};
    };
    if (auto done = transaction.run({"mmap", map, {}}); !done) return tl::unexpected(done.error());
    transaction.keep();
    return mapping;
  }

  Outcome<UniqueFd> tell_when_wanted() override { return make_wanted_eventfd(calls_, files_.device.get()); }

  [[nodiscard]] std::vector<Range<Iova>> valid_iovas() const override { return valid_iovas_; }
  [[nodiscard]] int device_fd() const override { return files_.device.get(); }
  [[nodiscard]] std::vector<Keep> fds_to_keep() const override {
    return {{files_.container.get(), 'c'}, {files_.group.get(), 'g'}, {files_.device.get(), 'd'}};
  }

 private:
  [[nodiscard]] Outcome<void> find_region(unsigned bar, Bytes offset, Bytes length, RegionInfo& region) const {
    auto found = read_region(calls_, files_.device.get(), bar);
    if (!found) return tl::unexpected(found.error());
    if (!is_page_aligned(offset.value) || !is_page_aligned(length.value) || !found->can_map(offset, length))
      return refuse(ErrorCode::not_supported, fmt::format("VFIO does not let {:#x}+{:#x} of its {:#x} bytes be mapped",
                                                          offset.value, length.value, found->size.value));
    region = std::move(*found);
    return {};
  }

  // MAP_DMA of a BAR whose decode is off is EFAULT (vfio_pci_core.c, CVE-2020-12888). It is the virtual command register
  // that counts, so we go through VFIO's config region.
  [[nodiscard]] Outcome<void> enable_decode(bool& was_enabled) const {
    const auto config = read_region(calls_, files_.device.get(), VFIO_PCI_CONFIG_REGION_INDEX);
    if (!config) return tl::unexpected(config.error());
    const auto place = config->file_offset + PCI_COMMAND;
    std::array<std::uint8_t, 2> command{};
    if (calls_.pread(files_.device.get(), command.data(), command.size(), place) != static_cast<ssize_t>(command.size()))
      return refuse_vfio(VfioCall::other, "read the command register", errno);
    if (command == std::array<std::uint8_t, 2>{0xff, 0xff}) return refuse(ErrorCode::gone, name_ + " does not answer");
    was_enabled = (command[0] & PCI_COMMAND_MEMORY) != 0;
    return was_enabled ? Outcome<void>{}
                       : write_command({static_cast<std::uint8_t>(command[0] | PCI_COMMAND_MEMORY), command[1]});
  }

  void disable_decode() const {
    const auto config = read_region(calls_, files_.device.get(), VFIO_PCI_CONFIG_REGION_INDEX);
    std::array<std::uint8_t, 2> command{};
    if (!config || calls_.pread(files_.device.get(), command.data(), command.size(), config->file_offset + PCI_COMMAND) !=
                       static_cast<ssize_t>(command.size()))
      return;
    static_cast<void>(write_command({static_cast<std::uint8_t>(command[0] & ~PCI_COMMAND_MEMORY), command[1]}));
  }

  [[nodiscard]] Outcome<void> write_command(std::array<std::uint8_t, 2> command) const {
    const auto config = read_region(calls_, files_.device.get(), VFIO_PCI_CONFIG_REGION_INDEX);
    if (!config) return tl::unexpected(config.error());
    if (calls_.pwrite(files_.device.get(), command.data(), command.size(), config->file_offset + PCI_COMMAND) !=
        static_cast<ssize_t>(command.size()))
      return refuse_vfio(VfioCall::other, "write the command register", errno);
    return {};
  }

  std::string name_;
  // Members go in reverse: the device closes before the container, the group last.
  Type1Files files_;
  std::vector<Range<Iova>> valid_iovas_;
  KernelCalls calls_;
  FaultInjector fail_;
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
