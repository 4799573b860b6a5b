// SPDX-License-Identifier: LGPL-2.1-or-later
#include <libudev.h>

#include <map>
#include <span>

#include "sources/live_files.h"
#include "sources/live_function.h"
#include "sources/live_host.h"
#include "sources/names.h"
#include "sources/source.h"

namespace p2pd {

namespace {

struct UdevDeleter {
  void operator()(udev* context) const { udev_unref(context); }
  void operator()(udev_enumerate* enumerate) const { udev_enumerate_unref(enumerate); }
};

// What udev knows, so that enumeration and Watch speak of the same devices. Nothing when udev cannot tell.
std::optional<std::vector<Address>> enumerate_by_udev() {
  const std::unique_ptr<udev, UdevDeleter> context(udev_new());
  const std::unique_ptr<udev_enumerate, UdevDeleter> enumerate(context ? udev_enumerate_new(context.get()) : nullptr);
  if (!enumerate || udev_enumerate_add_match_subsystem(enumerate.get(), "pci") < 0 ||
      udev_enumerate_scan_devices(enumerate.get()) < 0)
    return std::nullopt;
  std::vector<Address> addresses;
  for (auto* entry = udev_enumerate_get_list_entry(enumerate.get()); entry != nullptr; entry = udev_list_entry_get_next(entry)) {
    const std::string_view path = udev_list_entry_get_name(entry);
    if (const auto address = Address::parse(path.substr(path.rfind('/') + 1))) addresses.push_back(*address);
  }
  return addresses;
}

std::vector<Address> enumerate(const std::filesystem::path& sysfs_root) {
  if (sysfs_root == "/sys")
    if (auto addresses = enumerate_by_udev()) return std::move(*addresses);
  std::vector<Address> addresses;
  for (const auto& name : list_directory(sysfs_root / "bus/pci/devices"))
    if (const auto address = Address::parse(name)) addresses.push_back(*address);
  return addresses;
}

void complete(Function& function, const Address& physical, const std::optional<Sriov>& sriov) {
  const auto index = sriov ? virtual_function_index(physical, *sriov, function.address) : std::nullopt;
  if (index) complete_virtual_function(function, *sriov, *index);
}

bool has_same_ids(const Function& one, const Function& other) {
  return one.vendor == other.vendor && one.device == other.device && one.class_code == other.class_code;
}

}  // namespace

Outcome<Machine> read_live_machine(const LiveOptions& options) {
  std::error_code error;
  if (!std::filesystem::is_directory(options.sysfs_root, error))
    return refuse_errno(options.sysfs_root.string(), error ? error.value() : ENOTDIR);

  std::vector<Function> functions;
  std::map<Address, Sriov> physical_functions;
  for (const Address& address : enumerate(options.sysfs_root)) {
    auto reading = read_function(options.sysfs_root, address);
    if (!reading) continue;  // gone since: the watch tells of it
    if (reading->sriov) physical_functions.emplace(address, std::move(*reading->sriov));
    functions.push_back(std::move(reading->function));
  }
  for (Function& function : functions) {
    if (!function.physical_function) continue;
    const auto found = physical_functions.find(*function.physical_function);
    if (found != physical_functions.end()) complete(function, found->first, found->second);
  }
  name_functions(functions);
  return Machine(read_host_facts(options), std::move(functions));
}

std::optional<Function> read_live_function(const LiveOptions& options, const Address& address, const Function* before) {
  auto reading = read_function(options.sysfs_root, address);
  if (!reading) return std::nullopt;
  Function& function = reading->function;
  if (function.physical_function) {
    const auto physical = read_function(options.sysfs_root, *function.physical_function);
    if (physical) complete(function, *function.physical_function, physical->sriov);
  }
  if (before != nullptr) carry_over_config(function, *before);
  if (before != nullptr && has_same_ids(function, *before)) {
    function.vendor_name = before->vendor_name;
    function.device_name = before->device_name;
    function.class_name = before->class_name;
  } else {
    name_functions(std::span(&function, 1));
  }
  return std::move(function);
}

}  // namespace p2pd
