// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who holds what, and what p2pd says about itself.
#include <fmt/format.h>

#include <map>

#include "cli/format.h"
#include "cli/text.h"

namespace p2pclient::cli {

namespace {

std::string owner(const HoldingInfo& holding) {
  if (!holding.owner_uid) return "(not shown)";
  auto text = fmt::format("uid {}", *holding.owner_uid);
  if (holding.owner_pid) text += fmt::format(", pid {}", *holding.owner_pid);
  return text;
}

std::string join(const std::vector<std::string>& words) {
  return words.empty() ? "none" : fmt::format("{}", fmt::join(words, " "));
}

}  // namespace

std::string short_name(const std::string& path) {
  constexpr std::string_view prefix = "/org/p2pd1/";
  return path.starts_with(prefix) ? path.substr(prefix.size()) : path;
}

std::string grants_text(const std::vector<HoldingInfo>& holdings, const std::vector<MappingInfo>& mappings, const Style& style) {
  if (holdings.empty() && mappings.empty()) return "nothing is held\n";
  Table table({{"GRANT", false, true}, {"WHAT"}, {"COOKIE"}, {"LENGTH", true}, {"ACCESS"}, {"ROUTE"}, {"STATE"}, {"OWNER"}},
              style);
  std::map<std::string, Table::Line> lines;
  for (const auto& holding : holdings)
    lines[holding.path] =
        table.add({short_name(holding.path), holding.initiator, "", "", "", holding.backend, holding.state, owner(holding)});
  for (const auto& mapping : mappings) {
    const auto parent = lines.find(mapping.holding);
    // A dma-buf, or peer memory: whoever has it finds it somewhere else.
    const auto is_descriptor = mapping.holding.empty();
    const auto route = is_descriptor ? mapping.kind : mapping.target.empty() ? "" : mapping.route;
    table.add({short_name(mapping.path), mapping.target.empty() ? "memory" : mapping.target,
               is_descriptor ? "" : hex(mapping.cookie.value), size(mapping.length), mapping.access, route, mapping.state, ""},
              parent == lines.end() ? std::nullopt : std::optional(parent->second));
  }
  return table.to_string();
}

std::string info_text(const DaemonInfo& daemon) {
  std::string text = "p2pd " + daemon.version + "\n";
  const auto line = [&](const char* name, const std::string& value) { text += fmt::format("  {:<15} {}\n", name, value); };
  line("API", fmt::format("{}", daemon.api_version));
  line("features", join(daemon.features));
  line("back ends", join(daemon.backends));
  line("virtualization", daemon.virtualization);
  line("kernel rule", daemon.kernel_rule);
  return text;
}

std::string diagnosis_text(const std::vector<Diagnosis>& found) {
  std::string text;
  for (const auto& one : found) {
    text += fmt::format("{:<8} {:<15} {}\n", to_string(one.state), one.subject, one.found);
    if (!one.next.empty()) text += fmt::format("{:<24} next: {}\n", "", one.next);
  }
  return text;
}

}  // namespace p2pclient::cli
