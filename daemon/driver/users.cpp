// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who would lose something if the function lost its driver.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "driver/driver.h"

namespace p2pd {

namespace fs = std::filesystem;

namespace {

std::string first_word(const fs::path& file) {
  std::ifstream stream(file);
  std::string word;
  stream >> word;
  return word;
}

std::vector<fs::path> entries_of(const fs::path& directory) {
  std::vector<fs::path> result;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
    result.push_back(entry->path());
  std::sort(result.begin(), result.end());
  return result;
}

bool is_below(const fs::path& path, const fs::path& above) {
  return std::mismatch(above.begin(), above.end(), path.begin(), path.end()).first == above.end();
}

// Where a sysfs link leads; empty when it leads nowhere.
fs::path real(const fs::path& link) {
  std::error_code error;
  auto path = fs::canonical(link, error);
  return error ? fs::path() : path;
}

// Directories in which the block devices of this function live: its own, and with NVMe multipath that of the subsystem,
// whose head disks are virtual devices.
std::vector<fs::path> homes_of(const fs::path& sysfs, const fs::path& device) {
  std::vector<fs::path> homes{device};
  for (const auto& subsystem : entries_of(sysfs / "class/nvme-subsystem"))
    for (const auto& controller : entries_of(subsystem))
      if (controller.filename().string().starts_with("nvme") && fs::is_symlink(controller) && is_below(real(controller), device))
        homes.push_back(real(subsystem));
  return homes;
}

// Names of block devices and partitions, with what is stacked upon them (md, dm with LVM, bcache).
class BlockDevices {
 public:
  BlockDevices(fs::path sysfs, const fs::path& device) : sysfs_(std::move(sysfs)) {
    const auto homes = homes_of(sysfs_, device);
    for (const auto& block : entries_of(sysfs_ / "class/block")) {
      const auto place = real(block);
      if (std::any_of(homes.begin(), homes.end(), [&](const fs::path& home) { return is_below(place, home); }))
        add(block.filename(), "");
    }
  }

  // Device number "8:1" → name.
  [[nodiscard]] const std::map<std::string, std::string>& by_number() const { return by_number_; }
  [[nodiscard]] bool contains(const std::string& name) const { return names_.contains(name); }
  // "sda1 is part of dm-0"
  [[nodiscard]] const std::vector<std::string>& stacks() const { return stacks_; }

 private:
  void add(const std::string& name, const std::string& below) {
    if (!below.empty()) stacks_.push_back(below + " is part of " + name);
    if (!names_.insert(name).second) return;
    if (const auto number = first_word(sysfs_ / "class/block" / name / "dev"); !number.empty()) by_number_[number] = name;
    for (const auto& holder : entries_of(sysfs_ / "class/block" / name / "holders")) add(holder.filename(), name);
    // Partitions of what is stacked upon us (md0p1) are below it, not below the function.
    if (below.empty()) return;
    for (const auto& part : entries_of(sysfs_ / "class/block" / name))
      if (fs::exists(part / "partition")) add(part.filename(), "");
  }

  fs::path sysfs_;
  std::set<std::string> names_;
  std::map<std::string, std::string> by_number_;
  std::vector<std::string> stacks_;
};

// proc(5): "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
void add_mounts(std::vector<std::string>& users, const fs::path& proc, const BlockDevices& blocks) {
  std::ifstream stream(proc / "self/mountinfo");
  for (std::string line; std::getline(stream, line);) {
    std::istringstream fields(line);
    std::string id, parent, number, root, where, word, type, source;
    fields >> id >> parent >> number >> root >> where;
    while (fields >> word && word != "-") continue;
    fields >> type >> source;
    // A btrfs has a device number of its own; its source still is a device.
    const auto by_number = blocks.by_number().find(number);
    const auto name = by_number != blocks.by_number().end() ? by_number->second : fs::path(source).filename().string();
    if (blocks.contains(name)) users.push_back(fmt::format("{} is mounted on {}", name, where));
  }
}

void add_btrfs(std::vector<std::string>& users, const fs::path& sysfs, const BlockDevices& blocks) {
  for (const auto& filesystem : entries_of(sysfs / "fs/btrfs"))
    for (const auto& member : entries_of(filesystem / "devices"))
      if (blocks.contains(member.filename())) users.push_back(member.filename().string() + " is part of a mounted btrfs");
}

// "/dev/sda2  partition  1048572  0  -2"
void add_swaps(std::vector<std::string>& users, const fs::path& proc, const BlockDevices& blocks) {
  std::ifstream stream(proc / "swaps");
  for (std::string line; std::getline(stream, line);) {
    std::istringstream fields(line);
    std::string path;
    fields >> path;
    if (const auto name = fs::path(path).filename().string(); blocks.contains(name)) users.push_back(name + " is swap");
  }
}

void add_interfaces(std::vector<std::string>& users, const fs::path& sysfs, const fs::path& device) {
  constexpr unsigned long interface_up = 1;  // IFF_UP, netdevice(7)
  for (const auto& interface : entries_of(sysfs / "class/net")) {
    if (!is_below(real(interface), device)) continue;
    const auto flags = std::strtoul(first_word(interface / "flags").c_str(), nullptr, 16);
    if ((flags & interface_up) != 0) users.push_back(fmt::format("interface {} is up", interface.filename().string()));
  }
}

}  // namespace

std::vector<std::string> users_of(const DriverPaths& paths, const Address& address) {
  std::vector<std::string> users;
  const auto device = real(paths.sysfs_root / "bus/pci/devices" / address.to_string());
  if (device.empty()) return users;

  const BlockDevices blocks(paths.sysfs_root, device);
  add_mounts(users, paths.proc_root, blocks);
  add_btrfs(users, paths.sysfs_root, blocks);
  add_swaps(users, paths.proc_root, blocks);
  users.insert(users.end(), blocks.stacks().begin(), blocks.stacks().end());
  add_interfaces(users, paths.sysfs_root, device);
  if (first_word(device / "boot_vga") == "1") users.emplace_back("it is the boot VGA");
  if (const auto count = first_word(device / "sriov_numvfs"); !count.empty() && count != "0")
    users.push_back("it has " + count + " virtual functions");
  return users;
}

}  // namespace p2pd
