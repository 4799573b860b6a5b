// SPDX-License-Identifier: LGPL-2.1-or-later
#include "verdict/path_conditions.h"

#include <fmt/format.h>

#include <algorithm>

#include "topology/link.h"
#include "verdict/codes.h"
#include "verdict/conditions.h"

namespace p2pd {

namespace {

// Bridges between the two whose kind could not be read, or is none: what they do with a request is a guess.
void judge_kind(const Function& bridge, Findings& findings) {
  if (!bridge.is_bridge() || is_bridge_type(bridge.port_type)) return;
  findings.doubt(Code::config_unreadable, [&]() -> Finding {
    return {.where = bridge.address.to_string(),
            .observed = bridge.port_type == PortType::unknown ? "a bridge whose capabilities could not be read"
                                                              : "a bridge that calls itself " + to_string(bridge.port_type),
            .needed = "config space beyond byte 64, read by root",
            .remedy = "sudo lspci -xxxx",
            .isolation = ""};
  });
}

// A bridge forwards requests up only as bus master, and down only with memory decode on, PCIe 6.0 §7.5.1.1.3. Opening a
// function below switches both on (drivers/pci/pci.c pci_enable_bridge()), but where a driver had it on before, as pcieport
// has, the kernel believes that it still is.
void judge_command(const HostFacts& host, const Function& bridge, std::optional<bool> bit, Code code, Findings& findings) {
  if (bit.value_or(false) || is_asleep(bridge)) return;
  const bool is_running = host.is_live;
  if (is_running && bridge.driver.empty()) return;
  findings.report(code, bit.has_value() && !bridge.driver.empty(), [&]() -> Finding {
    const bool is_master = code == Code::bridge_bus_master_off;
    return {.where = bridge.address.to_string(),
            .observed = fmt::format("command register: {} is {}", is_master ? "bus master (bit 2)" : "memory space (bit 1)",
                                    bit ? "0" : "not known"),
            .needed = is_master ? "1: else it forwards no requests upstream" : "1: else it forwards no requests downstream",
            .remedy = set_command(host, bridge, is_master ? 0x0004 : 0x0002),
            .isolation = ""};
  });
}

bool has_payload_size(const Function& node) {
  return node.port_type != PortType::conventional && node.port_type != PortType::unknown;
}

// Sizes of packets along one run of links: who sends, and the smallest that somebody on it takes.
struct Payload {
  const Function* largest_sender = nullptr;
  const Function* smallest = nullptr;
  std::uint16_t sent = 0;
  std::uint16_t taken = 0xffff;
  const Function* unread = nullptr;

  void add(const Function& node, std::optional<std::uint16_t> size, bool sends) {
    if (!has_payload_size(node)) return;
    if (!size) {
      unread = &node;
      return;
    }
    if (*size < taken) {
      taken = *size;
      smallest = &node;
    }
    if (sends && *size > sent) {
      sent = *size;
      largest_sender = &node;
    }
  }

  void judge(Findings& findings) const {
    const bool is_mismatch = sent > taken;
    if (!is_mismatch && unread == nullptr) return;
    findings.report(Code::mps_mismatch, is_mismatch, [&]() -> Finding {
      return {.where = is_mismatch ? smallest->address.to_string() : unread->address.to_string(),
              .observed = is_mismatch ? fmt::format("takes packets of {} bytes (MPS); {} sends up to {}", taken,
                                                    largest_sender->address.to_string(), sent)
                                      : "its Max Payload Size could not be read",
              .needed = "no sender with a larger MPS than anybody on the way takes: a larger packet is malformed, which is fatal",
              .remedy = is_mismatch ? "pci=pcie_bus_peer2peer" : "sudo lspci -xxxx",
              .isolation = ""};
    });
  }
};

// Writes come from the initiator, and the completions of reads from the target. The root complex packs anew: what it sends
// is what its port may send.
void judge_payload(const PathQuestion& question, Findings& findings) {
  const auto add_side = [&](Payload& payload, const Place& end, std::span<const Function* const> side) {
    payload.add(*end.function, end.max_payload, true);
    for (std::size_t i = 1; i < side.size(); ++i)
      payload.add(*side[i], side[i]->max_payload, question.expected == Route::root_complex && i + 1 == side.size());
  };
  Payload first;
  add_side(first, question.initiator, question.initiator_side());
  if (question.expected == Route::root_complex) {
    first.judge(findings);
    first = {};
  }
  add_side(first, question.target, question.target_side());
  first.judge(findings);
}

void judge_links(const HostFacts& host, std::span<const Function* const> side, Findings& findings) {
  for (std::size_t i = 0; i + 1 < side.size(); ++i) {
    const auto trained = link_between(*side[i], *side[i + 1]);
    if (!trained || !trained->is_down_trained()) continue;
    findings.block(Code::link_down_trained, [&]() -> Finding {
      const auto port = side[i + 1]->address.to_string();
      return {.where = fmt::format("{} - {}", port, side[i]->address.to_string()),
              .observed = "trained to " + link_name(trained->speed_mts, trained->width),
              .needed = link_name(trained->max_speed_mts, trained->max_width) + ", which both ends can",
              .remedy = host.lockdown == Tristate::yes ? "" : fmt::format("setpci -s {} CAP_EXP+10.w=0020:0020", port),
              .isolation = ""};
    });
  }
}

}  // namespace

std::span<const Function* const> PathQuestion::initiator_side() const {
  return expected == Route::root_complex ? std::span<const Function* const>(initiator.way) : path.initiator_arm;
}

std::span<const Function* const> PathQuestion::target_side() const {
  return expected == Route::root_complex ? std::span<const Function* const>(target.way) : path.target_arm;
}

void judge_path(const PathQuestion& question, Findings& findings) {
  const auto& host = question.machine.host();
  // From the second on: the first of each side is initiator or target, judged as what they are.
  for (std::size_t i = 1; i < question.path.initiator_arm.size(); ++i) judge_kind(*question.path.initiator_arm[i], findings);
  if (question.path.common != nullptr) judge_kind(*question.path.common, findings);
  for (std::size_t i = 1; i < question.path.target_arm.size(); ++i) judge_kind(*question.path.target_arm[i], findings);
  if (question.expected == Route::none || question.expected == Route::local) return;

  const auto up = question.initiator_side();
  const auto down = question.target_side();
  for (std::size_t i = 1; i < up.size(); ++i)
    judge_command(host, *up[i], up[i]->bus_master, Code::bridge_bus_master_off, findings);
  for (std::size_t i = 1; i < down.size(); ++i)
    judge_command(host, *down[i], down[i]->memory_decode, Code::bridge_decode_off, findings);
  judge_payload(question, findings);
  if (!findings.is_told()) return;  // limits weigh nothing
  judge_links(host, up, findings);
  judge_links(host, down, findings);
}

}  // namespace p2pd
