// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Tags of 10 bits, PCIe 6.0 §2.2.6.2: a requester must not send them to who lacks 10-Bit Tag Completer Supported. That one
// answers with two bits less, which may be the tag of another read: it gets the wrong bytes, and nobody notices.
#include <fmt/format.h>

#include <algorithm>

#include "verdict/codes.h"
#include "verdict/path_conditions.h"

namespace p2pd {

namespace {

// A conventional function has no tags: on the link the bridge above it asks and answers.
const Function* speaker_of(std::span<const Function* const> side) {
  const auto found =
      std::find_if(side.begin(), side.end(), [](const Function* node) { return node->port_type != PortType::conventional; });
  return found == side.end() ? nullptr : *found;
}

std::string clear_requester_enable(const HostFacts& host, const Function& requester) {
  if (host.lockdown == Tristate::yes) return "";
  if (requester.physical_function)
    return fmt::format("setpci -s {} ECAP_SRIOV+8.w=0000:0020", requester.physical_function->to_string());
  return fmt::format("setpci -s {} CAP_EXP+28.w=0000:1000", requester.address.to_string());
}

std::string tell_requester(const Function& requester) {
  if (!requester.sends_ten_bit_tags) return "it could not be read whether it sends 10-bit tags";
  return requester.physical_function ? fmt::format("SR-IOV control of its PF {}: VF 10-Bit Tag Requester Enable (bit 5) is 1",
                                                   requester.physical_function->to_string())
                                     : "device control 2: 10-Bit Tag Requester Enable (bit 12) is 1";
}

}  // namespace

void judge_tags(const PathQuestion& question, Access access, Findings& findings) {
  if (access == Access::write || question.expected == Route::none || question.expected == Route::local) return;
  const auto* requester = speaker_of(question.initiator_side());
  if (requester == nullptr || requester->sends_ten_bit_tags == false) return;
  // None: it is the root complex itself that answers, and no register says how.
  const auto* completer = speaker_of(question.target_side());
  const auto completes = completer != nullptr ? completer->completes_ten_bit_tags : std::nullopt;
  if (completes == true) return;
  const bool is_enabled = requester->sends_ten_bit_tags.has_value();
  findings.report(Code::ten_bit_tags, is_enabled && completes.has_value(), [&]() -> Finding {
    const auto& answers = completer != nullptr ? *completer : *question.target.function;
    return {.where = requester->address.to_string(),
            .observed =
                fmt::format("{}; {} {}", tell_requester(*requester), answers.address.to_string(),
                            completes ? "does not complete requests with them" : "is not known to complete requests with them"),
            .needed = "0, changed while the initiator is idle, or a target that completes them: else reads may get wrong bytes",
            .remedy = is_enabled ? clear_requester_enable(question.machine.host(), *requester) : "sudo lspci -xxxx",
            .isolation = ""};
  });
}

}  // namespace p2pd
