// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sources/capture.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "sources/config_space.h"
#include "sources/live_files.h"
#include "sources/live_resources.h"
#include "sources/names.h"

namespace p2pd {

namespace {

struct ConfigText {
  std::vector<std::uint8_t> bytes;
  bool is_whole = false;
};

// As far as it can be read: to byte 64 without CAP_SYS_ADMIN, not at all where a function does not answer.
ConfigText read_config(const Directory& directory) {
  ConfigText config;
  const auto file = directory.open_file("config");
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return config;
  std::array<std::uint8_t, 4096> buffer{};
  while (config.bytes.size() < buffer.size()) {
    const ssize_t count =
        ::pread(file.get(), buffer.data(), buffer.size() - config.bytes.size(), static_cast<off_t>(config.bytes.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    config.bytes.insert(config.bytes.end(), buffer.begin(), buffer.begin() + count);
  }
  config.is_whole = static_cast<off_t>(config.bytes.size()) >= status.st_size;
  return config;
}

// As lspci.c show_size().
std::string size_text(Bytes size) {
  auto value = size.value;
  if (value == 0) return "";
  constexpr std::array suffixes{"", "K", "M", "G", "T"};
  std::size_t unit = 0;
  while (value % 1024 == 0 && unit + 1 < suffixes.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format(" [size={}{}]", value, suffixes.at(unit));
}

// As lspci.c show_bases().
std::string region_text(const Bar& bar) {
  const auto place = bar.bus_address   ? fmt::format("{:08x}", bar.bus_address->value)
                     : bar.is_assigned ? "<virtual>"
                                       : "<unassigned>";
  auto text = fmt::format("\tRegion {}: {} at {}", bar.index, bar.is_memory ? "Memory" : "I/O ports", place);
  if (bar.is_memory)
    text += fmt::format(" ({}, {}prefetchable)", bar.is_64bit ? "64-bit" : "32-bit", bar.is_prefetchable ? "" : "non-");
  return text + size_text(bar.size) + "\n";
}

// "PCI bridge: Red Hat, Inc. QEMU PCIe Root port", or as with -n "0604: 1b36:000c".
std::string heading(const Function& function) {
  const auto revision = function.revision == 0 ? "" : fmt::format(" (rev {:02x})", function.revision);
  if (function.class_name.empty() || function.vendor_name.empty())
    return fmt::format("{} {:04x}: {:04x}:{:04x}{}\n", function.address.to_string(), function.class_code >> 8, function.vendor,
                       function.device, revision);
  const auto device = function.device_name.empty() ? fmt::format("Device {:04x}", function.device) : function.device_name;
  return fmt::format("{} {}: {} {}{}\n", function.address.to_string(), function.class_name, function.vendor_name, device,
                     revision);
}

std::string rows(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (std::size_t offset = 0; offset < bytes.size(); offset += 16) {
    text += fmt::format("{:02x}:", offset);
    for (const auto byte : bytes.subspan(offset, std::min<std::size_t>(16, bytes.size() - offset)))
      text += fmt::format(" {:02x}", byte);
    text += '\n';
  }
  return text;
}

template <class Number>
Number number(const Directory& directory, const char* name) {
  return static_cast<Number>(directory.read_number(name).value_or(0));
}

Function identify(const Directory& directory, const Address& address) {
  Function function;
  function.address = address;
  function.vendor = number<std::uint16_t>(directory, "vendor");
  function.device = number<std::uint16_t>(directory, "device");
  function.class_code = number<std::uint32_t>(directory, "class");
  function.revision = number<std::uint8_t>(directory, "revision");
  return function;
}

// Every function of sysfs, by address.
std::vector<Function> identify_all(const std::filesystem::path& devices) {
  std::vector<Function> functions;
  for (const auto& name : list_directory(devices)) {
    const auto address = Address::parse(name);
    const auto directory = address ? Directory::open(devices / name) : std::nullopt;
    if (directory) functions.push_back(identify(*directory, *address));
  }
  std::sort(functions.begin(), functions.end(), [](const Function& a, const Function& b) { return a.address < b.address; });
  return functions;
}

std::string describe(const Directory& directory, const Function& function, std::span<const std::uint8_t> config, bool strip) {
  auto text = heading(function);
  if (const auto node = directory.read_number("numa_node").value_or(-1); node >= 0)
    text += fmt::format("\tNUMA node: {}\n", node);
  if (const auto group = directory.link_name("iommu_group")) text += fmt::format("\tIOMMU group: {}\n", *group);
  for (const auto& bar : join_bars(directory.read("resource").value_or(""), decode_config(ConfigBytes(config)).bars))
    text += region_text(bar);
  if (const auto driver = directory.link_name("driver"); driver && !strip)
    text += fmt::format("\tKernel driver in use: {}\n", *driver);
  return text + rows(config) + "\n";
}

}  // namespace

Outcome<Captured> capture(const CaptureOptions& options, const std::function<bool(const std::string&)>& write) {
  const auto devices = options.sysfs_root / "bus/pci/devices";
  auto functions = identify_all(devices);
  if (functions.empty()) return refuse(ErrorCode::failed, devices.string() + ": there are no PCI functions");
  if (!options.strip) name_functions(functions);

  Captured captured;
  for (const auto& function : functions) {
    const auto directory = Directory::open(devices / function.address.to_string());
    if (!directory) continue;  // gone since
    auto [config, is_whole] = read_config(*directory);
    if (options.strip) config = strip_config(config);
    ++captured.functions;
    captured.cut += is_whole ? 0 : 1;
    if (!write(describe(*directory, function, config, options.strip)))
      return refuse(ErrorCode::failed, "the dump was not taken to its end");
  }
  return captured;
}

}  // namespace p2pd
