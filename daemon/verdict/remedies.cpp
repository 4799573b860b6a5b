// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/remedies.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>

namespace p2pd {

namespace {

constexpr std::array<std::string_view, 3> boot_prefixes = {"pci=", "intel_iommu=", "iommu="};

bool is_boot_argument(std::string_view remedy) {
  return std::any_of(boot_prefixes.begin(), boot_prefixes.end(),
                     [&](std::string_view prefix) { return remedy.starts_with(prefix); });
}

void add_once(std::vector<std::string>& to, std::string what) {
  if (std::find(to.begin(), to.end(), what) == to.end()) to.push_back(std::move(what));
}

// Of FLAGS@PORT for one port, bits from the right. The kernel takes the first entry that names a port
// (drivers/pci/pci.c __pci_config_acs()), so there must be one for each. Remedies set Upstream Forwarding, and clear the
// others; what neither changes is the same in both.
std::string with_flags_of(const std::string& a, std::string_view b) {
  constexpr std::size_t upstream_forwarding = 4;
  auto flags = a;
  const auto end = std::min(a.find('@'), b.find('@'));
  for (std::size_t i = 0; i < end; ++i) {
    const char wanted = end - 1 - i == upstream_forwarding ? '1' : '0';
    if (b[i] == wanted) flags[i] = wanted;
  }
  return flags;
}

void add_flags(std::vector<std::string>& ports, std::string_view port) {
  const auto name = port.substr(std::min(port.find('@'), port.size()));
  const auto same = std::find_if(ports.begin(), ports.end(), [&](const std::string& one) { return one.ends_with(name); });
  if (same == ports.end())
    ports.emplace_back(port);
  else
    *same = with_flags_of(*same, port);
}

// One `pci=` for all: options of one are separated by commas (Documentation/admin-guide/kernel-parameters.txt), and of two
// options of one name the later replaces the earlier (drivers/pci/pci.c pci_setup()), so lists of ports are joined by ';'.
class CommandLine {
 public:
  void add(std::string_view argument) {
    constexpr std::string_view pci = "pci=";
    if (!argument.starts_with(pci)) return add_once(others_, std::string(argument));
    for (auto rest = argument.substr(pci.size()); !rest.empty();) {
      const auto option = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), option.size() + 1));
      const auto equals = option.find('=');
      if (equals == std::string_view::npos) {
        add_once(options_, std::string(option));
        continue;
      }
      auto& ports = lists_[std::string(option.substr(0, equals))];
      for (auto list = option.substr(equals + 1); !list.empty();) {
        const auto port = list.substr(0, list.find(';'));
        list.remove_prefix(std::min(list.size(), port.size() + 1));
        if (port.find('@') == std::string_view::npos)
          add_once(ports, std::string(port));
        else
          add_flags(ports, port);
      }
    }
  }

  [[nodiscard]] std::string to_string() const {
    auto options = options_;
    for (const auto& [name, ports] : lists_) options.push_back(fmt::format("{}={}", name, fmt::join(ports, ";")));
    auto arguments = others_;
    if (!options.empty()) arguments.push_back(fmt::format("pci={}", fmt::join(options, ",")));
    return fmt::format("{}", fmt::join(arguments, " "));
  }

 private:
  std::vector<std::string> others_;
  std::vector<std::string> options_;
  std::map<std::string, std::vector<std::string>> lists_;
};

}  // namespace

std::vector<std::string> remedies_of(const std::vector<Blocker>& blockers) {
  CommandLine command_line;
  std::vector<std::string> steps;
  for (const auto& blocker : blockers) {
    if (blocker.severity == Severity::limit) continue;
    // Against this one nothing helps: then nothing else does.
    if (blocker.remedy.empty()) return {};
    if (is_boot_argument(blocker.remedy))
      command_line.add(blocker.remedy);
    else
      add_once(steps, blocker.remedy);
  }
  std::vector<std::string> remedies;
  if (auto text = command_line.to_string(); !text.empty()) remedies.push_back(std::move(text));
  remedies.insert(remedies.end(), steps.begin(), steps.end());
  return remedies;
}

}  // namespace p2pd
