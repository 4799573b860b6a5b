// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A pair explained: the sentence, the path hop by hop, the verdict, what is reached besides, what to change.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/explanation.h"
#include "cli/format.h"
#include "cli/text.h"

namespace p2pclient::cli {

namespace {

struct AcsControl {
  std::uint16_t bit;
  const char* name;
  const char* meaning;
};
// PCIe 6.0 §7.7.11.
constexpr std::array acs_controls{
    AcsControl{0x01, "SV", "Source Validation"},    AcsControl{0x02, "TB", "Translation Blocking"},
    AcsControl{0x04, "RR", "P2P Request Redirect"}, AcsControl{0x08, "CR", "P2P Completion Redirect"},
    AcsControl{0x10, "UF", "Upstream Forwarding"},  AcsControl{0x20, "EC", "P2P Egress Control"},
    AcsControl{0x40, "DT", "Direct Translated P2P"}};

// "SV+ RR+ CR+ UF+ DT-": those that the function has.
std::string acs_text(const Acs& acs) {
  if (acs.state == "absent") return "none";
  if (acs.state != "present") return "not read";
  std::string text;
  for (const auto& control : acs_controls) {
    if ((acs.capability & control.bit) == 0 && (acs.control & control.bit) == 0) continue;
    text += fmt::format("{}{}{}", text.empty() ? "" : " ", control.name, (acs.control & control.bit) != 0 ? '+' : '-');
  }
  return text.empty() ? "no controls" : text;
}

std::string legend() {
  std::string text = "MPS: bytes that a packet may carry\nACS: + on, - off;";
  for (const auto& control : acs_controls)
    text += fmt::format("{}{} {}{}", control.bit == 0x10 ? "\n     " : " ", control.name, control.meaning,
                        control.bit == 0x40 ? "\n" : ",");
  return text;
}

std::string path_text(const std::vector<Hop>& path, const Style& style) {
  Table table({{"WAY"}, {"FUNCTION"}, {"TYPE"}, {"LINK"}, {"MPS", true}, {"ACS"}, {"WHAT", false, false, true}}, style);
  const bool has_turn = std::any_of(path.begin(), path.end(), [](const Hop& hop) { return hop.way == Hop::Way::turn; });
  bool is_up = true;
  for (const auto& [device, way] : path) {
    if (is_up && way == Hop::Way::down && !has_turn) table.add({"turn", "root complex", "", "", "", "", ""});
    is_up = way == Hop::Way::up;
    table.add({to_string(way), device.address, device.port_type.empty() ? "unknown" : device.port_type,
               device.link ? link(*device.link) : "-", device.max_payload ? fmt::format("{}", *device.max_payload) : "-",
               acs_text(device.acs), title(device)});
  }
  return table.to_string();
}

std::string reach_text(const std::string& initiator, const ReachSet& reach) {
  auto text = reach.targets.empty() && reach.is_complete
                  ? fmt::format("{} reaches no BAR past the IOMMU\n", initiator)
                  : fmt::format("{} reaches past the IOMMU, whatever is granted:\n", initiator);
  for (const auto& target : reach.targets) text += fmt::format("  {}\n", target);
  if (!reach.is_complete) text += "  and maybe more: ACS on its way could not be read\n";
  return text;
}

}  // namespace

std::string explanation_text(const Explanation& explanation, const Style& style) {
  const auto& verdict = explanation.verdict;
  auto text = sentence(verdict) + "\n\n" + path_text(explanation.path, style) + legend() + "\n" +
              reach_text(verdict.initiator, explanation.reach) + "\n" + verdict_text(verdict);
  if (verdict.answer != Answer::yes && verdict.remedies.empty()) text += "\n  no change is known that makes it work\n";
  return text;
}

}  // namespace p2pclient::cli
