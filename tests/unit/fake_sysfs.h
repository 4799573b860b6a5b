// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A generated sysfs (and /proc, /boot, /dev beside it) in a temporary directory, laid out as the kernel does it:
//
//   FakeSysfs tree;
//   tree.add({.address = at("0000:00:01.0"), .config = ConfigSpaceBuilder().bridge(0, 1, 1).pcie(4).bytes()});
//   tree.add({.address = at("0000:01:00.0"), .parent = at("0000:00:01.0"), .driver = "vfio-pci", .group = 7, …});
//   read_live_machine(tree.options());
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/address.h"
#include "sources/source.h"

namespace p2pd::test {

inline constexpr std::uint64_t memory_bar = 0x40200;        // IORESOURCE_MEM | SIZEALIGN
inline constexpr std::uint64_t wide_memory_bar = 0x14220c;  // and 64-bit, prefetchable
inline constexpr std::uint64_t io_bar = 0x40101;
inline constexpr std::uint64_t unassigned = 0x20000000;  // IORESOURCE_UNSET, to be added

struct FakeBar {
  unsigned index = 0;
  std::uint64_t cpu_address = 0;
  std::uint64_t size = 0;
  std::uint64_t flags = memory_bar;
};

struct FakeFunction {
  Address address;
  std::optional<Address> parent = std::nullopt;  // added before; nothing: on the root bus
  std::string root = "pci0000:00";               // below /sys/devices, or below the parent when both are given (a VMD)
  std::vector<std::uint8_t> config = {};         // ids and class are taken from it; empty: no file `config`
  std::vector<FakeBar> bars = {};
  std::string driver = "";
  std::optional<unsigned> group = std::nullopt;
  int numa_node = -1;
  std::string power_state = "D0";
  std::string runtime_status = "active";
  std::optional<Address> physical_function = std::nullopt;  // added before; gets virtfnN
};

class FakeSysfs {
 public:
  FakeSysfs();
  ~FakeSysfs();
  FakeSysfs(const FakeSysfs&) = delete;
  FakeSysfs& operator=(const FakeSysfs&) = delete;

  [[nodiscard]] const std::filesystem::path& top() const { return top_; }
  [[nodiscard]] std::filesystem::path sysfs() const { return top_ / "sys"; }
  [[nodiscard]] LiveOptions options() const;
  [[nodiscard]] std::filesystem::path device(const Address& address) const;

  void add(const FakeFunction& function);
  void remove(const Address& address);
  void bind(const Address& address, const std::string& driver);  // "" = unbind
  // The driver registers memory; what it had registered before is another file then, as in the kernel.
  void register_peer_memory(const Address& address, std::uint64_t size);
  void unregister_peer_memory(const Address& address);
  void set_group_type(unsigned group, const std::string& type, const std::string& reserved_regions);

  // Relative to top(); makes the directories on the way.
  void write(const std::filesystem::path& file, const std::string& text);
  void set_kernel(const std::string& release, std::optional<bool> p2pdma);
  void set_cpu(const std::string& vendor, unsigned family, bool has_hypervisor);

 private:
  void link(const std::filesystem::path& from, const std::filesystem::path& to);
  std::filesystem::path top_;
};

}  // namespace p2pd::test
