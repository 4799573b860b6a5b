// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The registers of a lent function, through its VFIO device fd. Enough to drive a simple DMA engine; programs with a user
// space driver of their own take the fd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "p2pclient/file_descriptor.h"

namespace p2pclient {

class VfioDevice {
 public:
  // Takes over a VFIO device fd.
  explicit VfioDevice(FileDescriptor fd) noexcept : fd_(std::move(fd)) {}

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  // Size of a BAR (0..5) in bytes; 0 = the function has none there. Throws std::system_error.
  [[nodiscard]] std::uint64_t bar_size(unsigned bar) const;

  // One access of the width of T, little endian as PCI is: T is std::uint8_t, 16 or 32. (Kernels before 6.10 split 64-bit
  // accesses in two, which not every register takes.) Throws std::system_error, std::out_of_range beyond the end.
  template <class T>
  [[nodiscard]] T read(unsigned bar, std::uint64_t offset) const {
    T value{};
    read_region(bar, offset, std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }
  template <class T>
  void write(unsigned bar, std::uint64_t offset, T value) const {
    write_region(bar, offset, std::as_bytes(std::span(&value, 1)));
  }

  // Lets the function issue DMA, or stops it: the command register in config space. VFIO hands functions out with it off.
  void set_bus_master(bool on) const;

  // `region` is an index of VFIO: 0..5 BARs, 7 config space.
  void read_region(unsigned region, std::uint64_t offset, std::span<std::byte> bytes) const;
  void write_region(unsigned region, std::uint64_t offset, std::span<const std::byte> bytes) const;

 private:
  FileDescriptor fd_;
};

}  // namespace p2pclient
