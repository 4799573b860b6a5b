// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sources/live_function.h"

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "sources/live_files.h"
#include "sources/live_resources.h"

namespace p2pd {

namespace {

template <class Number>
Number number_or_zero(const Directory& directory, const char* name) {
  return static_cast<Number>(directory.read_number(name).value_or(0));
}

PowerState parse_power_state(std::string_view text) {
  for (const auto state : {PowerState::d0, PowerState::d1, PowerState::d2, PowerState::d3hot, PowerState::d3cold})
    if (text == to_string(state)) return state;
  return PowerState::unknown;
}

bool is_suspended(std::string_view runtime_status) { return runtime_status == "suspended" || runtime_status == "suspending"; }

// Reading config space through sysfs resumes the bridge above, and the function itself when it is in D3cold
// (drivers/pci/pci.c pci_config_pm_runtime_get()). Nothing wakes when a function sleeps less deeply below a bridge
// that is awake, as one that was bound to vfio-pci and not opened does.
bool would_wake(const Directory& directory, const Function& function) {
  if (function.power_state == PowerState::d3cold) return true;
  if (!function.is_runtime_suspended) return false;
  return function.power_state == PowerState::unknown || is_suspended(directory.read("../power/runtime_status").value_or(""));
}

// "0x00000000fee00000 0x00000000feefffff msi", drivers/iommu/iommu.c iommu_group_show_resv_regions().
std::optional<ReservedRegion> parse_reserved_region(std::string_view line) {
  const auto first_space = line.find(' ');
  const auto second_space = line.find(' ', first_space + 1);
  if (first_space == std::string_view::npos || second_space == std::string_view::npos || !line.starts_with("0x"))
    return std::nullopt;
  const auto parse = [](std::string_view text) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    if (!text.starts_with("0x")) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
  };
  const auto begin = parse(line.substr(0, first_space));
  const auto last = parse(line.substr(first_space + 1, second_space - first_space - 1));
  if (!begin || !last || *last < *begin) return std::nullopt;
  const auto range = make_range(Iova{*begin}, Bytes{*last - *begin + 1});
  return range ? std::optional(ReservedRegion{*range, std::string(line.substr(second_space + 1))}) : std::nullopt;
}

void read_reserved_regions(const Directory& directory, Function& function) {
  const auto regions = directory.read("iommu_group/reserved_regions");
  // The kernel writes no more than a page, and cuts off what does not fit.
  function.has_unread_regions = !regions || regions->size() + 1 >= page_size.value;
  for (std::string_view rest = regions ? std::string_view(*regions) : std::string_view(); !rest.empty();) {
    const auto end = rest.find('\n');
    if (const auto region = parse_reserved_region(rest.substr(0, end)))
      function.reserved_regions.push_back(*region);
    else
      function.has_unread_regions = true;
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
}

void read_group(const Directory& directory, Function& function) {
  const auto name = directory.link_name("iommu_group");
  const auto number = name ? parse_sysfs_number(*name) : std::nullopt;
  if (!number || *number < 0) return;
  function.iommu_group = static_cast<std::uint32_t>(*number);
  function.iommu_type = directory.read("iommu_group/type");
  read_reserved_regions(directory, function);
  // A group that VFIO made up has no domain of its own, drivers/vfio/group.c vfio_noiommu_group_alloc(). Others need not
  // have a name.
  const bool may_be_made_up = !function.iommu_type || function.iommu_type == "unknown";
  const auto group_name = may_be_made_up ? directory.read("iommu_group/name") : std::nullopt;
  if (function.iommu_type || group_name) function.is_without_iommu = group_name == "vfio-noiommu";
}

void read_virtual_functions(const Directory& directory, Function& function) {
  if (const auto physical = directory.link_name("physfn")) function.physical_function = Address::parse(*physical);
  for (unsigned index = 0;; ++index) {
    const auto name = directory.link_name(("virtfn" + std::to_string(index)).c_str());
    const auto address = name ? Address::parse(*name) : std::nullopt;
    if (!address) return;
    function.virtual_functions.push_back(*address);
  }
}

// The link points to "…/devices/pci0000:00/0000:00:01.0/0000:01:00.0": the root bus that is nearest (a VMD's children have two
// above them), and the bridge right above the function.
void read_place(const std::filesystem::path& link, Function& function) {
  function.root_domain = function.address.domain;
  function.root_bus = function.address.bus;
  std::optional<Address> above;
  std::error_code error;
  for (const auto& part : std::filesystem::read_symlink(link, error).parent_path()) {
    const std::string name = part;
    const auto before = std::exchange(above, Address::parse(name));
    if (!name.starts_with("pci")) continue;
    // vmd.c: a root bus below a function; pci_real_dma_dev() sends the IOMMU there.
    if (before) function.requester = before;
    if (const auto root = Address::parse(name.substr(3) + ":00.0")) {
      function.root_domain = root->domain;
      function.root_bus = root->bus;
    }
  }
  function.parent = above;
}

// "16.0 GT/s PCIe", drivers/pci/probe.c pci_speed_string(); "Unknown" gives 0.
std::uint32_t parse_speed(std::string_view text) {
  unsigned whole = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (error != std::errc{} || whole > 1000) return 0;
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  return whole * 1000 + (rest.starts_with(".5") ? 500 : 0);
}

// Where config space ends before the PCIe capability (no CAP_SYS_ADMIN), sysfs still tells the link.
void read_link(const Directory& directory, Function& function) {
  const auto width = [&](const char* name) {
    const auto lanes = directory.read_number(name).value_or(0);
    return static_cast<std::uint8_t>(lanes > 0 && lanes <= 32 ? lanes : 0);
  };
  function.link.max_speed_mts = parse_speed(directory.read("max_link_speed").value_or(""));
  function.link.max_width = width("max_link_width");
  function.link.width = width("current_link_width");
  if (function.link.width != 0) function.link.speed_mts = parse_speed(directory.read("current_link_speed").value_or(""));
}

// A bridge is a bridge while it sleeps: the kernel's directory of the bus below it says so without a look into config.
void read_sleeping_bridge(const std::filesystem::path& path, Function& function) {
  for (const auto& bus : list_directory(path / "pci_bus")) {
    const auto address = Address::parse(bus + ":00.0");
    if (!address) continue;
    function.bridge = BridgeWindows{address->bus, address->bus, std::nullopt, std::nullopt};
  }
}

void read_identity(const Directory& directory, Function& function) {
  function.device = number_or_zero<std::uint16_t>(directory, "device");
  function.subsystem_vendor = number_or_zero<std::uint16_t>(directory, "subsystem_vendor");
  function.subsystem_device = number_or_zero<std::uint16_t>(directory, "subsystem_device");
  function.class_code = number_or_zero<std::uint32_t>(directory, "class");
  function.revision = number_or_zero<std::uint8_t>(directory, "revision");
  function.driver = directory.link_name("driver").value_or("");
  // In Linux 6.1 this read takes the device's lock (pci-sysfs.c driver_override_show), and a removal that waits for VFIO's last
  // close holds it, with no driver's link there any more: p2pd would wait for itself.
  if (!function.driver.empty()) function.driver_override = directory.read("driver_override").value_or("");
  if (function.driver_override == "(null)") function.driver_override.clear();
  const auto node = directory.read_number("numa_node").value_or(-1);
  if (node >= 0) function.numa_node = static_cast<int>(node);
}

// drivers/pci/p2pdma.c: the directory is there while the driver that registered memory is bound.
void read_peer_memory(const Directory& directory, Function& function) {
  if (function.driver.empty()) return;
  const auto size = directory.read_number("p2pmem/size");
  if (!size || *size <= 0) return;
  function.peer_memory = PeerMemory{.size = Bytes{static_cast<std::uint64_t>(*size)},
                                    .is_published = directory.read_number("p2pmem/published") == 1,
                                    .pool = directory.inode("p2pmem/allocate")};
}

}  // namespace

std::optional<LiveReading> read_function(const std::filesystem::path& sysfs_root, const Address& address) {
  const auto path = sysfs_root / "bus/pci/devices" / address.to_string();
  const auto directory = Directory::open(path);
  const auto vendor = directory ? directory->read_number("vendor") : std::nullopt;
  if (!vendor) return std::nullopt;

  LiveReading reading;
  Function& function = reading.function;
  function.address = address;
  function.vendor = static_cast<std::uint16_t>(*vendor);
  read_identity(*directory, function);
  read_group(*directory, function);
  read_virtual_functions(*directory, function);
  read_peer_memory(*directory, function);
  read_place(path, function);
  function.power_state = parse_power_state(directory->read("power_state").value_or(""));
  function.is_runtime_suspended = is_suspended(directory->read("power/runtime_status").value_or(""));

  const auto resource = directory->read("resource").value_or("");
  if (would_wake(*directory, function)) {
    function.bars = join_bars(resource, {});
    read_sleeping_bridge(path, function);
    return reading;
  }
  const auto facts = decode_config(ConfigFile(directory->open_file("config")));
  function.bars = join_bars(resource, facts.bars);
  take_config_facts(function, facts);
  // The memory enable of a VF's own command register does nothing, nor does what it says of tags: it is the PF's that counts.
  if (function.physical_function) function.memory_decode = function.sends_ten_bit_tags = std::nullopt;
  if (facts.responds && function.port_type == PortType::unknown) read_link(*directory, function);
  reading.sriov = facts.sriov;
  return reading;
}

}  // namespace p2pd
