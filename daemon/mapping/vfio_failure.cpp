// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/vfio_failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace p2pd {

namespace {

struct Meaning {
  VfioCall call;
  int error;
  ErrorCode code;
  std::string_view text;
};

constexpr std::array meanings{
    Meaning{VfioCall::open_container, ENOENT, ErrorCode::not_supported, "VFIO is not there: modprobe vfio-pci"},
    Meaning{VfioCall::open_container, ENODEV, ErrorCode::not_supported, "VFIO is not there: modprobe vfio-pci"},
    Meaning{VfioCall::open_group, ENOENT, ErrorCode::failed, "the group has no VFIO node: nothing in it is bound to vfio-pci"},
    Meaning{VfioCall::open_group, EBUSY, ErrorCode::busy, "a copy of a file descriptor of this group is still open elsewhere"},
    Meaning{VfioCall::open_group, EPERM, ErrorCode::not_supported, "the group has no IOMMU behind it"},
    Meaning{VfioCall::set_container, EINVAL, ErrorCode::failed, "the group is not viable, or in another container"},
    Meaning{VfioCall::set_container, EBUSY, ErrorCode::busy, "the group belongs to another container or iommufd"},
    Meaning{VfioCall::set_iommu, EPERM, ErrorCode::blocked,
            "interrupts are not isolated on this machine: interrupt remapping must be on [interrupts-not-isolated]"},
    Meaning{VfioCall::set_iommu, EINVAL, ErrorCode::blocked,
            "the group cannot get an address space of its own; firmware may demand a fixed region (RMRR) [reserved-region]"},
    Meaning{VfioCall::set_iommu, ENODEV, ErrorCode::not_supported,
            "the IOMMU driver of VFIO is not there: modprobe vfio_iommu_type1"},
    Meaning{VfioCall::get_device, ENODEV, ErrorCode::gone, "the device is not in this group, or not bound to vfio-pci"},
    Meaning{VfioCall::get_device, EBUSY, ErrorCode::busy, "the device is open elsewhere"},
    Meaning{VfioCall::get_device, EPERM, ErrorCode::not_permitted,
            "the device does not open: a PF with VFs, or a VF of a PF on vfio-pci, needs a VF token"},
    Meaning{VfioCall::open_iommufd, ENOENT, ErrorCode::not_supported, "this kernel has no iommufd (CONFIG_IOMMUFD)"},
    Meaning{VfioCall::open_iommufd, ENODEV, ErrorCode::not_supported, "this kernel has no iommufd: modprobe iommufd"},
    Meaning{VfioCall::open_node, ENOENT, ErrorCode::not_supported,
            "the function has no VFIO node of its own (CONFIG_VFIO_DEVICE_CDEV)"},
    // The unit names what may be opened when the service starts: a module that comes later is not among it.
    Meaning{VfioCall::open_iommufd, EPERM, ErrorCode::not_supported, "iommufd came after p2pd: systemctl restart p2pd"},
    Meaning{VfioCall::open_iommufd, EACCES, ErrorCode::not_supported, "p2pd may not open it"},
    Meaning{VfioCall::open_node, EPERM, ErrorCode::not_supported, "the node's driver came after p2pd: systemctl restart p2pd"},
    Meaning{VfioCall::open_node, EACCES, ErrorCode::not_supported, "p2pd may not open it"},
    Meaning{VfioCall::open_node, ENODEV, ErrorCode::gone, "the function is being unbound"},
    // vfio_device_block_group(); vfio_df_open() lets a function be open once only.
    Meaning{VfioCall::bind_iommufd, EBUSY, ErrorCode::busy, "the function's group is open through VFIO's container elsewhere"},
    Meaning{VfioCall::bind_iommufd, EINVAL, ErrorCode::busy, "a copy of the function's file descriptor is still open elsewhere"},
    // iommu_device_claim_dma_owner(), iommufd_device_bind().
    Meaning{VfioCall::bind_iommufd, EPERM, ErrorCode::blocked,
            "another function of the group has a driver that is not vfio-pci or another address space, or interrupts are not "
            "isolated on this machine [group-not-viable]"},
    Meaning{VfioCall::bind_iommufd, EACCES, ErrorCode::not_permitted,
            "the device does not open: a PF with VFs, or a VF of a PF on vfio-pci, needs a VF token"},
    Meaning{VfioCall::bind_iommufd, ENODEV, ErrorCode::gone, "the function is being unbound"},
    Meaning{VfioCall::attach, EINVAL, ErrorCode::blocked,
            "the function cannot get an address space of its own; firmware may demand a fixed region (RMRR) [reserved-region]"},
    Meaning{VfioCall::map, EINVAL, ErrorCode::failed, "not aligned, or outside of the ranges that the IOMMU can map"},
    Meaning{VfioCall::map, EEXIST, ErrorCode::failed, "overlaps what is mapped already"},
    Meaning{VfioCall::map, ENOSPC, ErrorCode::quota_exceeded,
            "the container has no room for more mappings (parameter dma_entry_limit of vfio_iommu_type1)"},
    Meaning{VfioCall::map, ENOMEM, ErrorCode::failed, "out of memory, or beyond the daemon's RLIMIT_MEMLOCK (LimitMEMLOCK=)"},
    Meaning{VfioCall::map, EFAULT, ErrorCode::failed,
            "the memory cannot be mapped for DMA: memory decode of the target is off, or its pages cannot be pinned"},
    Meaning{VfioCall::map, EOVERFLOW, ErrorCode::failed, "the range wraps"},
    Meaning{VfioCall::map_dma_buf, ENODEV, ErrorCode::failed, "the target was reset, or its memory decode is off"},
    Meaning{VfioCall::map_dma_buf, EEXIST, ErrorCode::failed, "overlaps what is mapped already"},
    Meaning{VfioCall::map_dma_buf, EINVAL, ErrorCode::failed, "not aligned, or outside of the ranges that the IOMMU can map"},
    Meaning{VfioCall::map_dma_buf, EOPNOTSUPP, ErrorCode::not_supported,
            "iommufd takes no dma-buf from this function's driver: Linux 6.19 or newer does from vfio-pci"},
    Meaning{VfioCall::unmap, EINVAL, ErrorCode::failed, "the range would split a mapping"},
    Meaning{VfioCall::unmap, ENOENT, ErrorCode::failed, "nothing is mapped there"},
    Meaning{VfioCall::export_bar, ENOTTY, ErrorCode::not_supported,
            "this kernel cannot export a BAR as a dma-buf: Linux 6.19 or newer with CONFIG_VFIO_PCI_DMABUF"},
    Meaning{VfioCall::export_bar, EOPNOTSUPP, ErrorCode::not_supported, "the function's driver cannot export a BAR as a dma-buf"},
    Meaning{VfioCall::export_bar, ENODEV, ErrorCode::not_supported, "there is no such BAR to export"},
    // vfio_pci_ioctl_reset(), pci_try_reset_function().
    Meaning{VfioCall::reset, EINVAL, ErrorCode::not_supported,
            "the hardware knows no reset of this function alone (sysfs reset_method) [no-reset]"},
    Meaning{VfioCall::reset, ENOTTY, ErrorCode::not_supported,
            "the hardware knows no reset of this function alone (sysfs reset_method) [no-reset]"},
    Meaning{VfioCall::reset, EAGAIN, ErrorCode::busy, "the kernel is working on the device or a bridge above it"},
    Meaning{VfioCall::map_bar, EINVAL, ErrorCode::not_supported, "VFIO does not let this part of the BAR be mapped"},
};

}  // namespace

tl::unexpected<Reason> refuse_vfio(VfioCall call, const std::string& subject, int error) {
  const auto* found = std::find_if(meanings.begin(), meanings.end(),
                                   [&](const Meaning& meaning) { return meaning.call == call && meaning.error == error; });
  const auto* name = ::strerrorname_np(error);
  const auto errno_name = name != nullptr ? std::string(name) : fmt::format("errno {}", error);
  if (found == meanings.end())
    return refuse(ErrorCode::failed, fmt::format("{}: {} ({})", subject, ::strerrordesc_np(error), errno_name));
  return refuse(found->code, fmt::format("{} ({}): {}", subject, errno_name, found->text));
}

}  // namespace p2pd
