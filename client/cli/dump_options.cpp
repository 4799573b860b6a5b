// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/dump_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "platform/kernel_release.h"

namespace p2pclient::cli {

namespace {

// "" = good, else the reason, as CLI11 wants it.
using Problem = std::string;

Problem check_file(const std::string& text) {
  if (text == "-") return {};
  return CLI::ExistingFile(text);
}

Problem check_cpu(const std::string& text) {
  if (parse_cpu(text)) return {};
  return "`" + text +
         "` is no CPU: VENDOR/FAMILY, the vendor as CPUID spells it or amd, intel, hygon, other; the family a number up to "
         "270, e.g. amd/0x17, GenuineIntel/6";
}

Problem check_kernel(const std::string& text) {
  if (p2pd::parse_kernel_release(text)) return {};
  return "`" + text + "` is no kernel release: X.Y, or what `uname -r` prints";
}

Problem check_virtualization(const std::string& text) {
  const bool is_name = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (is_name && text != "unknown") return {};
  return "`" + text +
         "` is neither none nor a hypervisor as `systemd-detect-virt` names it; leave --virt out when it is not known";
}

Problem check_switch(const std::string& text) {
  return text == "on" || text == "off" ? Problem() : "`" + text + "` is neither on nor off";
}

CLI::Validator validator(Problem (*check)(const std::string&)) {
  return {[check](std::string& text) { return check(text); }, ""};
}

}  // namespace

std::optional<Cpu> parse_cpu(const std::string& text) {
  const auto slash = text.rfind('/');
  if (slash == std::string::npos) return std::nullopt;
  Cpu cpu{.vendor = text.substr(0, slash)};
  struct Short {
    const char* name;
    const char* vendor;
  };
  constexpr std::array shorts{Short{"amd", "AuthenticAMD"}, Short{"intel", "GenuineIntel"}, Short{"hygon", "HygonGenuine"},
                              Short{"other", "other"}};
  const auto* const known = std::find_if(shorts.begin(), shorts.end(), [&](const Short& one) { return cpu.vendor == one.name; });
  if (known != shorts.end())
    cpu.vendor = known->vendor;
  else if (cpu.vendor.size() != 12)  // the registers EBX, EDX and ECX of CPUID leaf 0
    return std::nullopt;

  std::string_view digits = std::string_view(text).substr(slash + 1);
  const int base = digits.starts_with("0x") ? 16 : 10;
  if (base == 16) digits.remove_prefix(2);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), cpu.family, base);
  constexpr unsigned highest = 0x0f + 0xff;  // base and extended family
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || cpu.family > highest) return std::nullopt;
  return cpu;
}

std::string DumpOptions::without_a_dump() const {
  if (!file.empty()) return {};
  if (!cpu.empty()) return "--cpu";
  if (!kernel.empty()) return "--kernel";
  if (!virtualization.empty()) return "--virt";
  if (!platform.empty()) return "--platform";
  return iommu.empty() ? "" : "--iommu";
}

std::string DumpOptions::not_given() const {
  std::vector<std::string> missing;
  if (cpu.empty()) missing.emplace_back("the CPU (--cpu)");
  if (kernel.empty()) missing.emplace_back("the kernel (--kernel)");
  if (virtualization.empty()) missing.emplace_back("whether it is a virtual machine (--virt)");
  if (iommu.empty()) missing.emplace_back("the IOMMU (--iommu)");
  if (missing.empty()) return {};
  return fmt::format("no dump tells, and nobody said, so it is unknown: {}", fmt::join(missing, ", "));
}

void add_dump_options(CLI::App& app, DumpOptions& options) {
  app.add_option("--dump", options.file, "work offline on the output of `lspci -xxxx` or `capture`; - is standard input")
      ->type_name("FILE")
      ->check(validator(check_file));
  app.add_option("--platform", options.platform, "with --dump: platform files from here, not the installed ones")
      ->type_name("DIRECTORY")
      ->check(CLI::ExistingDirectory.description(""));
  app.add_option("--cpu", options.cpu, "with --dump: the machine's CPU, e.g. amd/0x17 or GenuineIntel/6")
      ->type_name("VENDOR/FAMILY")
      ->check(validator(check_cpu));
  app.add_option("--kernel", options.kernel, "with --dump: the kernel whose rules count")
      ->type_name("X.Y")
      ->check(validator(check_kernel));
  app.add_option("--virt", options.virtualization, "with --dump: none, or the hypervisor")
      ->type_name("NAME")
      ->check(validator(check_virtualization));
  app.add_option("--iommu", options.iommu, "with --dump: on or off")->type_name("STATE")->check(validator(check_switch));
}

}  // namespace p2pclient::cli
