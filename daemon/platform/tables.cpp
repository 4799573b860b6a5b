// SPDX-License-Identifier: LGPL-2.1-or-later
#include "platform/tables.h"

#include <algorithm>
#include <iterator>

namespace p2pd {

namespace {

bool contains(const std::vector<IdRange>& ids, const Function& function) {
  return std::any_of(ids.begin(), ids.end(), [&](const IdRange& range) { return range.contains(function); });
}

bool matches(const Which& which, const Function& function) { return which.contains(function); }
bool matches(const std::vector<IdRange>& ids, const Function& function) { return contains(ids, function); }

// Of all entries that match: an unsafe one decides, the first; else the one that is careful before all others.
template <class Entry, class Key, class MoreCareful>
const Entry* find_most_careful(const std::vector<Entry>& entries, Key key, unsigned kernel, const Function& function,
                               const MoreCareful& is_more_careful) {
  const Entry* found = nullptr;
  for (const auto& entry : entries) {
    if (!entry.about.applies_to(kernel) || !matches(entry.*key, function)) continue;
    if (entry.about.is_unsafe) return &entry;
    if (found == nullptr || is_more_careful(entry, *found)) found = &entry;
  }
  return found;
}

constexpr auto any_entry = [](const auto&) { return true; };

template <class Entry, class Is = decltype(any_entry)>
const Entry* find_port_entry(const std::vector<Entry>& entries, unsigned kernel, const Function& function,
                             const Is& is_wanted = any_entry) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    return is_wanted(entry) && entry.about.applies_to(kernel) && entry.which.contains(function);
  });
  return found == entries.end() ? nullptr : &*found;
}

// yes, then unknown, then no.
int care(Tristate value) { return value == Tristate::yes ? 0 : value == Tristate::unknown ? 1 : 2; }

template <class Value>
void append(std::vector<Value>& to, std::vector<Value>&& more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

bool Which::contains(const Function& function) const {
  return p2pd::contains(ids, function) &&
         (port_types.empty() || std::find(port_types.begin(), port_types.end(), function.port_type) != port_types.end());
}

const IsolatedPort* find_isolated_port(const PlatformTables& tables, unsigned kernel, const Function& function) {
  return find_port_entry(tables.isolated_ports, kernel, function);
}

const ChipsetPort* find_chipset_port(const PlatformTables& tables, unsigned kernel, const Function& function) {
  return find_port_entry(tables.chipset_ports, kernel, function);
}

PortFinding find_port(const PlatformTables& tables, unsigned kernel, const Function& function) {
  const auto& standard = function.acs_by_standard();
  PortFinding finding{.acs = standard};
  finding.chipset = find_port_entry(tables.chipset_ports, kernel, function,
                                    [](const ChipsetPort& entry) { return entry.acs_control_offset != 6; });
  if (finding.chipset != nullptr && standard.state == Acs::State::present) {
    // The dword behind the capability is the control; where it was not read nothing is known.
    finding.acs = standard.next_dword ? Acs{.state = Acs::State::present,
                                            .capability = standard.capability,
                                            .control = static_cast<std::uint16_t>(*standard.next_dword),
                                            .next_dword = standard.next_dword}
                                      : Acs{};
  }
  finding.isolated = find_isolated_port(tables, kernel, function);
  if (finding.isolated != nullptr) {
    constexpr std::uint16_t as_if = Acs::request_redirect | Acs::completion_redirect | Acs::upstream_forwarding;
    finding.acs.state = Acs::State::present;
    finding.acs.capability |= as_if;
    finding.acs.control |= as_if;
  }
  return finding;
}

const InitiatorEntry* find_initiator(const PlatformTables& tables, unsigned kernel, const Function& function) {
  return find_most_careful(
      tables.initiators, &InitiatorEntry::which, kernel, function,
      [](const InitiatorEntry& one, const InitiatorEntry& other) { return one.address_bits < other.address_bits; });
}

unsigned address_bits_of(const PlatformTables& tables, unsigned kernel, const Function& function) {
  const auto* entry = find_initiator(tables, kernel, function);
  return entry == nullptr ? 64 : entry->address_bits;
}

const RootComplexEntry* find_root_complex(const PlatformTables& tables, unsigned kernel, const Function& first) {
  return find_most_careful(tables.root_complexes, &RootComplexEntry::host_bridges, kernel, first,
                           [](const RootComplexEntry& one, const RootComplexEntry& other) {
                             return care(one.writes) + care(one.reads) > care(other.writes) + care(other.reads);
                           });
}

PlatformTables careful_part(PlatformTables tables) {
  tables.cpus.clear();
  std::erase_if(tables.host_bridges, [](const HostBridgeEntry& entry) { return !entry.same_bridge_only; });
  for (auto& entry : tables.host_bridges) entry.is_vouched_for = false;
  std::erase_if(tables.root_complexes,
                [](const RootComplexEntry& entry) { return entry.writes != Tristate::no && entry.reads != Tristate::no; });
  for (auto& entry : tables.root_complexes) {
    if (entry.writes == Tristate::yes) entry.writes = Tristate::unknown;
    if (entry.reads == Tristate::yes) entry.reads = Tristate::unknown;
    entry.between_domains = false;
  }
  return tables;
}

void append(PlatformTables& tables, PlatformTables more) {
  append(tables.host_bridges, std::move(more.host_bridges));
  append(tables.cpus, std::move(more.cpus));
  append(tables.isolated_ports, std::move(more.isolated_ports));
  append(tables.chipset_ports, std::move(more.chipset_ports));
  append(tables.root_complexes, std::move(more.root_complexes));
  append(tables.initiators, std::move(more.initiators));
  append(tables.peers, std::move(more.peers));
  append(tables.unsafe_masks, std::move(more.unsafe_masks));
  tables.newest_kernel = std::max(tables.newest_kernel, more.newest_kernel);
}

}  // namespace p2pd
