// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sources/source.h"

namespace p2pd {

void carry_over_config(Function& fresh, const Function& before) {
  const bool is_asleep = fresh.is_runtime_suspended || fresh.power_state == PowerState::d3cold;
  // Reading some sleeping functions wakes nobody: what was read counts.
  if (!is_asleep || fresh.port_type != PortType::unknown) return;
  // Another device in the same slot owes nothing to its predecessor.
  if (fresh.vendor != before.vendor || fresh.device != before.device || fresh.revision != before.revision) return;
  fresh.is_multifunction = before.is_multifunction;
  fresh.port_type = before.port_type;
  fresh.link = before.link;
  fresh.msix = before.msix;
  fresh.has_unread_capabilities = before.has_unread_capabilities;
  fresh.acs = before.acs_by_standard();
  fresh.port_number = before.port_number;
  fresh.max_payload = before.max_payload;
  fresh.atomic_ops = before.atomic_ops;
  if (!fresh.sends_ten_bit_tags) fresh.sends_ten_bit_tags = before.sends_ten_bit_tags;  // a VF's PF may be awake
  fresh.completes_ten_bit_tags = before.completes_ten_bit_tags;
  fresh.ats_enabled = before.ats_enabled;
  fresh.has_ats = before.has_ats;
  fresh.clique = before.clique;
  if (before.bridge) fresh.bridge = before.bridge;
  for (Bar& bar : fresh.bars) {
    const Bar* old = before.find_bar(bar.index);
    if (old != nullptr && old->cpu_address == bar.cpu_address && old->size == bar.size) bar.bus_address = old->bus_address;
  }
}

}  // namespace p2pd
