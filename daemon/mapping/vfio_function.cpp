// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/vfio_function.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/mman.h>

#include <cerrno>

#include "mapping/uapi/vfio_iommufd.h"
#include "mapping/vfio_failure.h"
#include "mapping/wanted.h"

namespace p2pd {

Outcome<CpuMapping> VfioFunction::map_bar(unsigned bar, Bytes offset, Bytes length) {
  CpuMapping mapping;
  const auto map = [&](const RegionInfo& region) -> Outcome<void> {
    const int protection = (region.is_readable ? PROT_READ : 0) | (region.is_writable ? PROT_WRITE : 0);
    void* begin =
        calls_.mmap_shared(length.value, protection, device_.get(), region.file_offset + static_cast<off_t>(offset.value));
    if (begin == MAP_FAILED)
      return refuse_vfio(VfioCall::map_bar, fmt::format("{}:{}:{:#x}+{:#x}", name_, bar, offset.value, length.value), errno);
    mapping = CpuMapping(begin, length.value);
    return {};
  };
  if (auto done = with_bar("map", bar, offset, length, "mmap", map); !done) return error_of(done);
  return mapping;
}

Outcome<UniqueFd> VfioFunction::export_bar(unsigned bar, Bytes offset, Bytes length) {
  UniqueFd dma_buf;
  const auto share = [&](const RegionInfo&) -> Outcome<void> {
    uapi::dma_buf_of_one_range question{};
    question.argsz = sizeof question;
    question.flags = VFIO_DEVICE_FEATURE_GET | uapi::feature_dma_buf;
    question.dma_buf.region_index = bar;
    question.dma_buf.open_flags = O_RDWR | O_CLOEXEC;
    question.dma_buf.nr_ranges = 1;
    question.range.offset = offset.value;
    question.range.length = length.value;
    dma_buf.reset(calls_.ioctl(device_.get(), VFIO_DEVICE_FEATURE, &question));
    if (!dma_buf)
      return refuse_vfio(VfioCall::export_bar, fmt::format("{}:{}:{:#x}+{:#x}", name_, bar, offset.value, length.value), errno);
    return {};
  };
  if (auto done = with_bar("export", bar, offset, length, "export", share); !done) return error_of(done);
  return dma_buf;
}

Outcome<UniqueFd> VfioFunction::tell_when_wanted() { return make_wanted_eventfd(calls_, device_.get()); }

// Memory decode off through VFIO revokes every dma-buf: vfio_pci_config.c, vfio_pci_dma_buf_move().
Outcome<void> VfioFunction::suspend_exports() { return disable_decode(); }

Outcome<void> VfioFunction::reset() {
  if (calls_.ioctl(device_.get(), VFIO_DEVICE_RESET, nullptr) < 0) return refuse_vfio(VfioCall::reset, name_, errno);
  return {};
}

Outcome<void> VfioFunction::with_bar(const std::string& what, unsigned bar, Bytes offset, Bytes length, const std::string& step,
                                     const std::function<Outcome<void>(const RegionInfo&)>& run) {
  RegionInfo region;
  bool was_enabled = true;
  Transaction transaction(fmt::format("{} BAR {} of {}", what, bar, name_), fail_);
  const Step steps[] = {{"read region", [&] { return find_region(bar, offset, length, region); }, {}},
                        {"enable memory decode", [&] { return enable_decode(was_enabled); },
                         [&] {
                           if (!was_enabled) static_cast<void>(disable_decode());
                         }},
                        {step, [&] { return run(region); }, {}}};
  for (const auto& each : steps)
    if (auto done = transaction.run(each); !done) return done;
  transaction.keep();
  return {};
}

Outcome<void> VfioFunction::find_region(unsigned bar, Bytes offset, Bytes length, RegionInfo& region) const {
  auto found = read_region(calls_, device_.get(), bar);
  if (!found) return error_of(found);
  if (!is_page_aligned(offset.value) || !is_page_aligned(length.value) || !found->can_map(offset, length))
    return refuse(ErrorCode::not_supported, fmt::format("VFIO does not let {:#x}+{:#x} of its {:#x} bytes be mapped",
                                                        offset.value, length.value, found->size.value));
  region = std::move(*found);
  return {};
}

// MAP_DMA of a BAR whose decode is off is EFAULT (vfio_pci_core.c, CVE-2020-12888), and a dma-buf is born without memory
// (vfio_pci_dmabuf.c). It is the virtual command register that counts, so we go through VFIO's config region.
Outcome<void> VfioFunction::enable_decode(bool& was_enabled) const {
  const auto command = read_command();
  if (!command) return error_of(command);
  if (*command == Command{0xff, 0xff}) return refuse(ErrorCode::gone, name_ + " does not answer");
  was_enabled = ((*command)[0] & PCI_COMMAND_MEMORY) != 0;
  if (was_enabled) return {};
  return write_command({static_cast<std::uint8_t>((*command)[0] | PCI_COMMAND_MEMORY), (*command)[1]});
}

Outcome<void> VfioFunction::disable_decode() const {
  const auto command = read_command();
  if (!command) return error_of(command);
  return write_command({static_cast<std::uint8_t>((*command)[0] & ~PCI_COMMAND_MEMORY), (*command)[1]});
}

Outcome<VfioFunction::Command> VfioFunction::read_command() const {
  const auto config = read_region(calls_, device_.get(), VFIO_PCI_CONFIG_REGION_INDEX);
  if (!config) return error_of(config);
  Command command{};
  if (calls_.pread(device_.get(), command.data(), command.size(), config->file_offset + PCI_COMMAND) !=
      static_cast<ssize_t>(command.size()))
    return refuse_vfio(VfioCall::other, "read the command register", errno);
  return command;
}

Outcome<void> VfioFunction::write_command(Command command) const {
  const auto config = read_region(calls_, device_.get(), VFIO_PCI_CONFIG_REGION_INDEX);
  if (!config) return error_of(config);
  if (calls_.pwrite(device_.get(), command.data(), command.size(), config->file_offset + PCI_COMMAND) !=
      static_cast<ssize_t>(command.size()))
    return refuse_vfio(VfioCall::other, "write the command register", errno);
  return {};
}

}  // namespace p2pd
