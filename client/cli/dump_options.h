// SPDX-License-Identifier: LGPL-2.1-or-later
//
// --dump, and what no dump can tell: what is not given stays unknown, and is named to the user.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace p2pclient::cli {

struct Cpu {
  std::string vendor;  // CPUID vendor; "other" = none of those that are known by name
  unsigned family = 0;
};

// Each as it was given on the command line, checked.
struct DumpOptions {
  std::string file;  // "" = ask p2pd; "-" = standard input
  std::string cpu;
  std::string kernel;
  std::string virtualization;
  std::string iommu;
  std::string platform;  // directory of platform files; "" = the installed ones

  // One of the others, though there is no dump; "" if none.
  [[nodiscard]] std::string without_a_dump() const;
  // What was not given, in one sentence; "" when everything was.
  [[nodiscard]] std::string not_given() const;
};

// VENDOR/FAMILY: `amd/0x17`, `GenuineIntel/6`. Nothing: it is not that.
[[nodiscard]] std::optional<Cpu> parse_cpu(const std::string& text);

// `options` must outlive the parsing. A bad value is an error of usage, with the reason.
void add_dump_options(CLI::App& app, DumpOptions& options);

}  // namespace p2pclient::cli
