// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fake_sysfs.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <fstream>
#include <stdexcept>

#include "sources/config_space.h"

namespace p2pd::test {

namespace fs = std::filesystem;

namespace {

std::string resource_text(const std::vector<FakeBar>& bars) {
  std::string text;
  for (unsigned index = 0; index < 13; ++index) {
    FakeBar line;
    line.flags = 0;
    for (const FakeBar& bar : bars)
      if (bar.index == index) line = bar;
    const auto end = line.size == 0 ? 0 : line.cpu_address + line.size - 1;
    text += fmt::format("0x{:016x} 0x{:016x} 0x{:016x}\n", line.cpu_address, end, line.flags);
  }
  return text;
}

}  // namespace

FakeSysfs::FakeSysfs() {
  std::string pattern = (fs::temp_directory_path() / "p2pd-sysfs-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
  top_ = pattern;
  for (const char* each :
       {"sys/bus/pci/devices", "sys/bus/pci/drivers", "sys/devices", "sys/class/iommu", "sys/kernel/iommu_groups", "proc"})
    fs::create_directories(top_ / each);
}

FakeSysfs::~FakeSysfs() {
  std::error_code error;
  fs::remove_all(top_, error);
}

LiveOptions FakeSysfs::options() const {
  return {.sysfs_root = sysfs(), .proc_root = top_ / "proc", .virtualization = "auto", .hypervisor = ""};
}

fs::path FakeSysfs::device(const Address& address) const {
  return fs::canonical(sysfs() / "bus/pci/devices" / address.to_string());
}

void FakeSysfs::write(const fs::path& file, const std::string& text) {
  fs::create_directories((top_ / file).parent_path());
  std::ofstream stream(top_ / file, std::ios::binary);
  stream << text;
  if (!stream) throw std::runtime_error("cannot write " + (top_ / file).string());
}

void FakeSysfs::link(const fs::path& from, const fs::path& to) {
  fs::remove(from);
  fs::create_symlink(to, from);
}

void FakeSysfs::add(const FakeFunction& function) {
  const auto name = function.address.to_string();
  auto path = function.parent ? device(*function.parent) : sysfs() / "devices" / function.root;
  if (function.parent && function.root != "pci0000:00") path /= function.root;
  path /= name;
  fs::create_directories(path);
  link(sysfs() / "bus/pci/devices" / name, path);

  const auto attribute = [&](const fs::path& file, const std::string& text) { write(path / file, text); };
  const auto facts = decode_config(ConfigBytes(function.config));
  attribute("vendor", fmt::format("0x{:04x}\n", facts.vendor));
  attribute("device", fmt::format("0x{:04x}\n", facts.device));
  attribute("subsystem_vendor", fmt::format("0x{:04x}\n", facts.subsystem_vendor));
  attribute("subsystem_device", fmt::format("0x{:04x}\n", facts.subsystem_device));
  attribute("class", fmt::format("0x{:06x}\n", facts.class_code));
  attribute("revision", fmt::format("0x{:02x}\n", facts.revision));
  attribute("resource", resource_text(function.bars));
  attribute("irq", "0\n");  // lspci gives up without it
  attribute("numa_node", fmt::format("{}\n", function.numa_node));
  attribute("driver_override", "(null)\n");
  attribute("power_state", function.power_state + "\n");
  attribute("power/runtime_status", function.runtime_status + "\n");
  if (!function.config.empty()) attribute("config", std::string(function.config.begin(), function.config.end()));
  if (facts.bridge)
    fs::create_directories(path / "pci_bus" / fmt::format("{:04x}:{:02x}", function.address.domain, facts.bridge->secondary_bus));

  bind(function.address, function.driver);
  if (function.group) {
    const auto group = sysfs() / "kernel/iommu_groups" / std::to_string(*function.group);
    if (!fs::exists(group / "type")) set_group_type(*function.group, "DMA", "0x00000000fee00000 0x00000000feefffff msi\n");
    fs::create_directories(group / "devices");
    link(group / "devices" / name, path);
    link(path / "iommu_group", group);
  }
  if (function.physical_function) {
    const auto physical = device(*function.physical_function);
    unsigned index = 0;
    while (fs::is_symlink(physical / fmt::format("virtfn{}", index))) ++index;
    link(physical / fmt::format("virtfn{}", index), path);
    link(path / "physfn", physical);
  }
}

void FakeSysfs::remove(const Address& address) {
  const auto path = device(address);
  fs::remove(sysfs() / "bus/pci/devices" / address.to_string());
  fs::remove_all(path);
}

void FakeSysfs::bind(const Address& address, const std::string& driver) {
  const auto path = device(address);
  fs::remove(path / "driver");
  if (driver.empty()) return;
  const auto directory = sysfs() / "bus/pci/drivers" / driver;
  fs::create_directories(directory);
  link(path / "driver", directory);
}

void FakeSysfs::register_peer_memory(const Address& address, std::uint64_t size) {
  const auto directory = device(address) / "p2pmem";
  write(directory / "size", std::to_string(size) + "\n");
  write(directory / "available", std::to_string(size) + "\n");
  write(directory / "published", "1\n");
  // A file system may give the inode of a file that was removed to the next one: so it is kept.
  for (unsigned count = 0; fs::exists(directory / "allocate"); ++count)
    if (const auto kept = directory / fmt::format("before-{}", count); !fs::exists(kept))
      fs::rename(directory / "allocate", kept);
  write(directory / "allocate", "");
  fs::resize_file(directory / "allocate", size);
}

void FakeSysfs::unregister_peer_memory(const Address& address) {
  const auto directory = device(address) / "p2pmem";
  for (const auto* file : {"size", "available", "published"}) fs::remove(directory / file);
  fs::rename(directory / "allocate", directory / "before");
}

void FakeSysfs::set_group_type(unsigned group, const std::string& type, const std::string& reserved_regions) {
  const auto path = fs::path("sys/kernel/iommu_groups") / std::to_string(group);
  write(path / "type", type + "\n");
  write(path / "reserved_regions", reserved_regions);
}

void FakeSysfs::set_kernel(const std::string& release, std::optional<bool> p2pdma) {
  write("proc/sys/kernel/osrelease", release + "\n");
  if (p2pdma)
    write("boot/config-" + release,
          *p2pdma ? "CONFIG_PCI=y\nCONFIG_PCI_P2PDMA=y\n" : "CONFIG_PCI=y\n# CONFIG_PCI_P2PDMA is not set\n");
}

void FakeSysfs::set_cpu(const std::string& vendor, unsigned family, bool has_hypervisor) {
  const auto block =
      fmt::format("processor\t: 0\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: 1\nflags\t\t: fpu vme{} lahf_lm\n\n", vendor,
                  family, has_hypervisor ? " hypervisor" : "");
  write("proc/cpuinfo", block + block);
}

}  // namespace p2pd::test
