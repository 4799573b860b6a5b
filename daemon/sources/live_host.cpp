// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sources/live_host.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "platform/kernel_release.h"
#include "sources/live_files.h"

namespace p2pd {

namespace {

using std::filesystem::path;

// What is beside the sysfs root: "/" for "/sys".
path beside(const path& sysfs_root) { return sysfs_root.parent_path(); }

std::string without_newline(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

// "vendor_id\t: GenuineIntel" in the block of the first processor.
std::string cpu_field(std::string_view block, std::string_view name) {
  for (; !block.empty(); block.remove_prefix(
           std::min(block.size(), block.find('\n') == std::string_view::npos ? block.size() : block.find('\n') + 1))) {
    const auto line = block.substr(0, block.find('\n'));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !line.starts_with(name)) continue;
    const auto padding = line.substr(name.size(), colon - name.size());
    if (padding.find_first_not_of("\t ") != std::string_view::npos) continue;
    return std::string(line.substr(std::min(line.size(), colon + 2)));
  }
  return {};
}

struct Cpu {
  std::string vendor;
  unsigned family = 0;
  bool is_x86 = false;
  bool has_hypervisor = false;  // CPUID leaf 1, ECX bit 31
  bool has_sme = true;          // as far as firmware lets it: the kernel clears the flag otherwise; true where it was not read
};

Cpu read_cpu(const path& proc_root) {
  const auto text = read_file(proc_root / "cpuinfo").value_or("");
  const auto first = std::string_view(text).substr(0, text.find("\n\n"));
  Cpu cpu;
  const auto flags = " " + cpu_field(first, "flags") + " ";
  if (!first.empty()) cpu.has_sme = flags.find(" sme ") != std::string::npos;
  cpu.is_x86 = flags.find(" fpu ") != std::string::npos;
  if (!cpu.is_x86) return cpu;
  cpu.has_hypervisor = flags.find(" hypervisor ") != std::string::npos;
  cpu.vendor = cpu_field(first, "vendor_id");
  cpu.family = static_cast<unsigned>(parse_sysfs_number(cpu_field(first, "cpu family")).value_or(0));
  return cpu;
}

// The configuration of the running kernel, from where distributions put it; else its type information, which names
// every function that was compiled in (a guest that was booted with a kernel from outside has only this).
Tristate read_p2pdma(const path& sysfs_root, const std::string& release) {
  const auto root = beside(sysfs_root);
  for (const auto& file : {root / "boot" / ("config-" + release), root / "lib/modules" / release / "config"}) {
    const auto is_set = release.empty() ? std::nullopt : file_contains(file, "\nCONFIG_PCI_P2PDMA=y\n");
    if (is_set) return *is_set ? Tristate::yes : Tristate::no;
  }
  const auto is_there = file_contains(sysfs_root / "kernel/btf/vmlinux", "pci_p2pdma_distance_many");
  if (!is_there) return Tristate::unknown;
  return *is_there ? Tristate::yes : Tristate::no;
}

// Units that translate register here; a kernel without IOMMU support has no such class.
Tristate read_iommu(const path& sysfs_root) {
  std::error_code error;
  if (!std::filesystem::is_directory(sysfs_root / "class", error)) return Tristate::unknown;
  return list_directory(sysfs_root / "class/iommu").empty() ? Tristate::no : Tristate::yes;
}

// Containers, or iommufd for the functions themselves (CONFIG_VFIO_DEVICE_CDEV), which a kernel may have alone.
Tristate read_vfio(const path& root, const path& sysfs_root) {
  std::error_code error;
  const bool has_containers = std::filesystem::exists(root / "dev/vfio/vfio", error);
  const bool has_devices =
      std::filesystem::exists(root / "dev/iommu", error) && std::filesystem::is_directory(sysfs_root / "class/vfio-dev", error);
  return has_containers || has_devices ? Tristate::yes : Tristate::no;
}

// arch/x86/mm/mem_encrypt_identity.c sme_enable(): the last word counts; without one, what the kernel was configured for,
// which is off since there is no such choice any more (Linux 6.9).
Tristate read_memory_encryption(const LiveOptions& options, const std::string& release, const Cpu& cpu) {
  if (!cpu.has_sme) return Tristate::no;
  const auto command_line = read_file(options.proc_root / "cmdline");
  if (!command_line) return Tristate::unknown;
  const auto words = " " + without_newline(*command_line) + " ";
  const auto on = words.rfind(" mem_encrypt=on ");
  const auto off = words.rfind(" mem_encrypt=off ");
  if (on != std::string::npos && (off == std::string::npos || off < on)) return Tristate::yes;
  if (off != std::string::npos || parse_kernel_release(release) >= 6009) return Tristate::no;
  const auto is_default = file_contains(beside(options.sysfs_root) / "boot" / ("config-" + release),
                                        "\nCONFIG_AMD_MEM_ENCRYPT_ACTIVE_BY_DEFAULT=y\n");
  if (!is_default) return Tristate::unknown;
  return *is_default ? Tristate::yes : Tristate::no;
}

std::uint64_t read_hexadecimal(const path& file) {
  const auto text = read_file(file).value_or("");
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

// VT-d 11.4.2, the capability register: MGAW in bits 21:16, the widths of page tables in bits 12:8. The kernel takes the
// widest, up to MGAW; one bit less with page tables of the first stage, which units of scalable mode (extended capabilities,
// bits 43 and 47) may have (drivers/iommu/intel/iommu.c). Other makers' units do not tell.
void read_iommu_bits(const path& sysfs_root, HostFacts& facts) {
  for (const auto& unit : list_directory(sysfs_root / "class/iommu")) {
    const auto registers = sysfs_root / "class/iommu" / unit / "intel-iommu";
    const auto capabilities = read_hexadecimal(registers / "cap");
    const auto widths = (capabilities >> 8) & 0x1f;
    if ((widths & 0x0e) == 0) continue;
    const unsigned widest = (widths & 0x08) != 0 ? 57 : (widths & 0x04) != 0 ? 48 : 39;
    const auto most = std::min(static_cast<unsigned>((capabilities >> 16) & 0x3f) + 1, widest);
    constexpr std::uint64_t scalable_with_first_stage = (std::uint64_t{1} << 43) | (std::uint64_t{1} << 47);
    const bool may_be_less = (read_hexadecimal(registers / "ecap") & scalable_with_first_stage) == scalable_with_first_stage;
    const auto least = most - (may_be_less ? 1 : 0);
    facts.least_iommu_bits = facts.least_iommu_bits == 0 ? least : std::min(facts.least_iommu_bits, least);
    facts.most_iommu_bits = std::max(facts.most_iommu_bits, most);
  }
}

// "none [integrity] confidentiality", security/lockdown/lockdown.c. Where securityfs has no such file, nothing locks.
Tristate read_lockdown(const path& sysfs_root) {
  if (const auto levels = read_file(sysfs_root / "kernel/security/lockdown"))
    return levels->find("[none]") != std::string::npos ? Tristate::no : Tristate::yes;
  return list_directory(sysfs_root / "kernel/security").empty() ? Tristate::unknown : Tristate::no;
}

// Where the module is not loaded, nobody has told it anything.
Tristate read_unsafe_interrupts(const path& sysfs_root) {
  std::error_code error;
  if (!std::filesystem::is_directory(sysfs_root / "class", error)) return Tristate::unknown;
  for (const auto* module : {"vfio_iommu_type1", "iommufd"})
    if (read_file(sysfs_root / "module" / module / "parameters/allow_unsafe_interrupts").value_or("N").starts_with('Y'))
      return Tristate::yes;
  return Tristate::no;
}

struct Vendor {
  std::string_view prefix;
  std::string_view name;
  bool sells_machines = false;  // real ones too: the name alone says nothing
};

// As systemd's src/basic/virt.c dmi_vendor_table[].
constexpr std::array<Vendor, 17> dmi_vendors = {{
    {"KVM", "kvm"},
    {"OpenStack", "kvm"},
    {"KubeVirt", "kvm"},
    {"Amazon EC2", "amazon", true},
    {"QEMU", "qemu"},
    {"VMware", "vmware"},
    {"VMW", "vmware"},
    {"innotek GmbH", "oracle"},
    {"VirtualBox", "oracle"},
    {"Oracle Corporation", "oracle", true},
    {"Xen", "xen"},
    {"Bochs", "bochs"},
    {"Parallels", "parallels"},
    {"BHYVE", "bhyve"},
    {"Hyper-V", "microsoft"},
    {"Apple Virtualization", "apple"},
    {"Google Compute Engine", "google", true},
}};

std::string match_dmi(const path& sysfs_root, bool has_hypervisor) {
  for (const auto* file : {"product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"}) {
    const auto text = read_file(sysfs_root / "class/dmi/id" / file).value_or("");
    for (const Vendor& vendor : dmi_vendors)
      if (text.starts_with(vendor.prefix) && (has_hypervisor || !vendor.sells_machines)) return std::string(vendor.name);
  }
  return {};
}

// What systemd calls so is a container: it sees the host's devices.
constexpr std::array<std::string_view, 11> containers = {
    "systemd-nspawn", "lxc-libvirt", "lxc", "openvz", "docker", "podman", "rkt", "wsl", "proot", "pouch", "container-other"};

std::string detect_virtualization(const path& sysfs_root, const Cpu& cpu, const std::string& hypervisor_said) {
  const bool is_container = std::find(containers.begin(), containers.end(), hypervisor_said) != containers.end();
  if (!hypervisor_said.empty() && !is_container) return hypervisor_said;
  auto hypervisor = without_newline(read_file(sysfs_root / "hypervisor/type").value_or(""));
  if (!hypervisor.empty()) return hypervisor;
  auto name = match_dmi(sysfs_root, cpu.has_hypervisor);
  if (!name.empty()) return name;
  if (cpu.has_hypervisor) return "vm-other";
  // Other architectures have no bit that a hypervisor must set.
  return cpu.is_x86 ? "none" : "unknown";
}

}  // namespace

HostFacts read_host_facts(const LiveOptions& options) {
  const auto root = beside(options.sysfs_root);
  const auto cpu = read_cpu(options.proc_root);
  HostFacts facts;
  facts.kernel_release = without_newline(read_file(options.proc_root / "sys/kernel/osrelease").value_or(""));
  facts.kernel_p2pdma = read_p2pdma(options.sysfs_root, facts.kernel_release);
  facts.cpu_vendor = cpu.vendor;
  facts.cpu_family = cpu.family;
  facts.virtualization = options.virtualization == "auto" ? detect_virtualization(options.sysfs_root, cpu, options.hypervisor)
                                                          : options.virtualization;
  facts.iommu = read_iommu(options.sysfs_root);
  facts.vfio = read_vfio(root, options.sysfs_root);
  facts.memory_encryption = read_memory_encryption(options, facts.kernel_release, cpu);
  read_iommu_bits(options.sysfs_root, facts);
  facts.lockdown = read_lockdown(options.sysfs_root);
  facts.unsafe_interrupts = read_unsafe_interrupts(options.sysfs_root);
  return facts;
}

}  // namespace p2pd
