// SPDX-License-Identifier: LGPL-2.1-or-later
#include "p2pclient/vfio_device.h"

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace p2pclient {

namespace {

[[noreturn]] void fail(const char* call, unsigned region) {
  throw std::system_error(errno, std::generic_category(), std::string(call) + " of region " + std::to_string(region));
}

vfio_region_info region_info(int device, unsigned region) {
  vfio_region_info info{};
  info.argsz = sizeof info;
  info.index = region;
  if (::ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) != 0) fail("VFIO_DEVICE_GET_REGION_INFO", region);
  return info;
}

// Where `size` bytes at `offset` of the region are in the device fd.
off_t position(int device, unsigned region, std::uint64_t offset, std::size_t size) {
  const auto info = region_info(device, region);
  if (offset > info.size || size > info.size - offset)
    throw std::out_of_range("region " + std::to_string(region) + " ends at " + std::to_string(info.size));
  return static_cast<off_t>(info.offset + offset);
}

}  // namespace

std::uint64_t VfioDevice::bar_size(unsigned bar) const { return region_info(fd_.get(), bar).size; }

void VfioDevice::read_region(unsigned region, std::uint64_t offset, std::span<std::byte> bytes) const {
  const auto at = position(fd_.get(), region, offset, bytes.size());
  if (::pread(fd_.get(), bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size())) fail("pread", region);
}

void VfioDevice::write_region(unsigned region, std::uint64_t offset, std::span<const std::byte> bytes) const {
  const auto at = position(fd_.get(), region, offset, bytes.size());
  if (::pwrite(fd_.get(), bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size())) fail("pwrite", region);
}

void VfioDevice::set_bus_master(bool on) const {
  auto command = read<std::uint16_t>(VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND);
  command = static_cast<std::uint16_t>(on ? command | PCI_COMMAND_MASTER : command & ~PCI_COMMAND_MASTER);
  write<std::uint16_t>(VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, command);
}

}  // namespace p2pclient
