// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The verdict of one pair with all its reasons.
#include <fmt/format.h>

#include <algorithm>

#include "cli/text.h"

namespace p2pclient::cli {

namespace {

std::string describe(const KernelRule& kernel) {
  if (kernel.present == false) return "this kernel has no p2pdma";
  auto text = kernel.map_type;
  if (kernel.distance) text += fmt::format(", distance {}", *kernel.distance);
  if (!kernel.present) text += " (whether the kernel has p2pdma is not known)";
  return text;
}

std::string describe(const Blocker& blocker) {
  auto text = fmt::format("\n  {}: {}{}\n", blocker.severity, blocker.code, blocker.is_certain ? "" : " (not certain)");
  const auto line = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("    {:<9} {}\n", name, value);
  };
  line("where", blocker.where);
  line("observed", blocker.observed);
  line("needed", blocker.needed);
  line("remedy", blocker.remedy);
  line("gives up", blocker.isolation);
  return text;
}

}  // namespace

std::string verdict_text(const Verdict& verdict) {
  auto text = fmt::format("{} -> {}: {}\n", verdict.initiator, verdict.target, to_string(verdict.answer));
  if (verdict.answer != verdict.possible) text += fmt::format("  possible  {}\n", to_string(verdict.possible));
  text += fmt::format("  route     {}\n", verdict.route);
  text += fmt::format("  requests  writes {}, reads {}, translated {}\n", to_string(verdict.writes), to_string(verdict.reads),
                      to_string(verdict.translated));
  text += fmt::format("  decided   by the {} rule\n", verdict.decided_by);
  text += fmt::format("  evidence  {}\n", verdict.evidence);
  text += fmt::format("  kernel    {}\n", describe(verdict.kernel));
  for (const auto& blocker : verdict.blockers) text += describe(blocker);
  // What only reads makes nothing work.
  const bool is_to_read = std::any_of(verdict.remedies.begin(), verdict.remedies.end(),
                                      [](const std::string& remedy) { return remedy.starts_with("sudo lspci"); });
  if (!verdict.remedies.empty()) text += is_to_read ? "\n  to know, and to make it work:\n" : "\n  to make it work:\n";
  for (const auto& remedy : verdict.remedies) text += fmt::format("    {}\n", remedy);
  if (!verdict.notes.empty()) text += '\n';
  for (const auto& note : verdict.notes) text += fmt::format("  note: {}\n", note);
  return text;
}

}  // namespace p2pclient::cli
