// SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note
//
// What the back ends `iommufd` and `dma-buf` say to the kernel, and Debian 12's headers (Linux 6.1) do not know.
//
// Out of Linux 7.3 include/uapi/linux/vfio.h and iommufd.h. Structures and fields have the names that they have there; macros
// are constants in small letters and without VFIO_DEVICE_ or IOMMU_, so that newer headers of the system do not get in the
// way. No structure has changed what it begins with since the kernel got it; its first field says how much the caller knows.
// Copyright (c) 2021-2022, NVIDIA CORPORATION & AFFILIATES; Copyright (C) 2012 Red Hat, Inc.
#pragma once

#include <linux/ioctl.h>
#include <linux/vfio.h>

#include <cstddef>
#include <cstdint>

namespace p2pd::uapi {

// ---- /dev/vfio/devices/vfioN (Linux 6.6): ioctls on a function's cdev

inline constexpr unsigned long bind_iommufd = _IO(VFIO_TYPE, VFIO_BASE + 18);
struct vfio_device_bind_iommufd {
  std::uint32_t argsz;
  std::uint32_t flags;
  std::int32_t iommufd;
  std::uint32_t out_devid;
  // Here Linux 6.18 has a pointer, which only a flag that it came with makes it read: older kernels need not know.
};
static_assert(sizeof(vfio_device_bind_iommufd) == 16);

inline constexpr unsigned long attach_iommufd_pt = _IO(VFIO_TYPE, VFIO_BASE + 19);
struct vfio_device_attach_iommufd_pt {
  std::uint32_t argsz;
  std::uint32_t flags;
  std::uint32_t pt_id;  // in: of the IOAS; out: of the page table that the kernel took
};
static_assert(sizeof(vfio_device_attach_iommufd_pt) == 12);

inline constexpr unsigned long detach_iommufd_pt = _IO(VFIO_TYPE, VFIO_BASE + 20);
struct vfio_device_detach_iommufd_pt {
  std::uint32_t argsz;
  std::uint32_t flags;
};
static_assert(sizeof(vfio_device_detach_iommufd_pt) == 8);

// What VFIO_DEVICE_GET_PCI_HOT_RESET_INFO says of a cdev, in `flags`: the functions are named by devid, not by group; and
// all of them are the caller's, who may reset them with an empty array of groups.
inline constexpr std::uint32_t hot_reset_flag_dev_id = 1U << 0;
inline constexpr std::uint32_t hot_reset_flag_dev_id_owned = 1U << 1;
// In the place of a devid.
inline constexpr std::int32_t devid_owned = 0;
inline constexpr std::int32_t devid_not_owned = -1;

// ---- VFIO_DEVICE_FEATURE with VFIO_DEVICE_FEATURE_GET (Linux 6.19): a dma-buf of a part of a BAR; returns its fd

inline constexpr std::uint32_t feature_dma_buf = 11;
struct vfio_region_dma_range {
  std::uint64_t offset;  // within the region
  std::uint64_t length;
};
struct vfio_device_feature_dma_buf {
  std::uint32_t region_index;
  std::uint32_t open_flags;  // O_RDWR | O_CLOEXEC
  std::uint32_t flags;       // 0
  std::uint32_t nr_ranges;
};
// Not the kernel's: its structures one after the other, with the one range that iommufd takes.
struct dma_buf_of_one_range {
  std::uint32_t argsz;
  std::uint32_t flags;
  vfio_device_feature_dma_buf dma_buf;
  vfio_region_dma_range range;
};
static_assert(sizeof(vfio_device_feature) == offsetof(dma_buf_of_one_range, dma_buf));
static_assert(offsetof(dma_buf_of_one_range, range) == 24 && sizeof(dma_buf_of_one_range) == 40);

// ---- /dev/iommu (Linux 6.2)

inline constexpr int iommufd_type = ';';

inline constexpr unsigned long destroy = _IO(iommufd_type, 0x80);
struct iommu_destroy {
  std::uint32_t size;
  std::uint32_t id;
};
static_assert(sizeof(iommu_destroy) == 8);

inline constexpr unsigned long ioas_alloc = _IO(iommufd_type, 0x81);
struct iommu_ioas_alloc {
  std::uint32_t size;
  std::uint32_t flags;  // 0
  std::uint32_t out_ioas_id;
};
static_assert(sizeof(iommu_ioas_alloc) == 12);

inline constexpr unsigned long ioas_copy = _IO(iommufd_type, 0x83);
struct iommu_ioas_copy {
  std::uint32_t size;
  std::uint32_t flags;  // as of a map
  std::uint32_t dst_ioas_id;
  std::uint32_t src_ioas_id;
  std::uint64_t length;
  std::uint64_t dst_iova;
  std::uint64_t src_iova;
};
static_assert(sizeof(iommu_ioas_copy) == 40);

inline constexpr unsigned long ioas_iova_ranges = _IO(iommufd_type, 0x84);
struct iommu_iova_range {
  std::uint64_t start;
  std::uint64_t last;  // inclusive
};
struct iommu_ioas_iova_ranges {
  std::uint32_t size;
  std::uint32_t ioas_id;
  std::uint32_t num_iovas;      // in: room; out: how many there are. EMSGSIZE when there is too little room.
  std::uint32_t reserved;       // 0
  std::uint64_t allowed_iovas;  // pointer to iommu_iova_range
  std::uint64_t out_iova_alignment;
};
static_assert(sizeof(iommu_ioas_iova_ranges) == 32);

// Of a map and a copy. Without the first the kernel chooses the IOVA and writes it into the structure.
inline constexpr std::uint32_t map_fixed_iova = 1U << 0;
inline constexpr std::uint32_t map_writeable = 1U << 1;
inline constexpr std::uint32_t map_readable = 1U << 2;

inline constexpr unsigned long ioas_map = _IO(iommufd_type, 0x85);
struct iommu_ioas_map {
  std::uint32_t size;
  std::uint32_t flags;
  std::uint32_t ioas_id;
  std::uint32_t reserved;  // 0
  std::uint64_t user_va;
  std::uint64_t length;
  std::uint64_t iova;
};
static_assert(sizeof(iommu_ioas_map) == 40);

inline constexpr unsigned long ioas_unmap = _IO(iommufd_type, 0x86);
struct iommu_ioas_unmap {
  std::uint32_t size;
  std::uint32_t ioas_id;
  std::uint64_t iova;
  std::uint64_t length;  // out: how much was unmapped. IOVA 0 and all ones: everything.
};
static_assert(sizeof(iommu_ioas_unmap) == 24);

// Linux 6.13: of a memfd. 6.19: of a dma-buf of one range that vfio-pci gave.
inline constexpr unsigned long ioas_map_file = _IO(iommufd_type, 0x8f);
struct iommu_ioas_map_file {
  std::uint32_t size;
  std::uint32_t flags;
  std::uint32_t ioas_id;
  std::int32_t fd;
  std::uint64_t start;  // within the file
  std::uint64_t length;
  std::uint64_t iova;
};
static_assert(sizeof(iommu_ioas_map_file) == 40);

}  // namespace p2pd::uapi
