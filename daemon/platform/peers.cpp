// SPDX-License-Identifier: LGPL-2.1-or-later
#include "platform/peers.h"

#include <fmt/format.h>

#include <algorithm>

#include "platform/toml_fields.h"

namespace p2pd {

namespace {

constexpr unsigned peers_format = 1;
constexpr std::uint16_t nvidia = 0x10de;

using Ids = std::pair<std::uint16_t, std::uint16_t>;

std::optional<std::uint16_t> parse_hex4(std::string_view text) {
  if (text.size() != 4) return std::nullopt;
  unsigned value = 0;
  for (const char digit : text) {
    const auto* const digits = "0123456789abcdef";
    const auto place = std::string_view(digits).find(digit);
    if (place == std::string_view::npos) return std::nullopt;
    value = value * 16 + static_cast<unsigned>(place);
  }
  return static_cast<std::uint16_t>(value);
}

// "10de:2330".
Ids read_ids(TomlFields& fields, std::string_view key) {
  const auto text = fields.text(key);
  const auto vendor = parse_hex4(std::string_view(text).substr(0, 4));
  const auto device = text.size() == 9 && text[4] == ':' ? parse_hex4(std::string_view(text).substr(5)) : std::nullopt;
  if (!vendor || !device) fields.fail(key, fmt::format("'{}' must be two ids of four hex digits: \"10de:2330\"", key));
  return {vendor.value_or(0), device.value_or(0)};
}

Address read_address(TomlFields& fields, std::string_view key) {
  const auto address = Address::parse(fields.text(key));
  if (!address) fields.fail(key, fmt::format("'{}' must be an address: dddd:bb:dd.f", key));
  return address.value_or(Address{});
}

class PeersReader {
 public:
  PeersReader(PeersTable& table, TomlErrors& errors) : table_(table), errors_(errors) {}

  void read(const toml::table& root) {
    TomlFields fields(root, errors_);
    const auto format = fields.number("peers_format", 0, 0xffff);
    if (errors_.is_clean() && format != peers_format)
      fields.fail("peers_format", fmt::format("format {} is not known, {} is", format, peers_format));
    const auto functions = fields.tables("function");
    const auto reaches = fields.tables("reach");
    fields.finish();
    if (functions.size() > most_peers) return fields.fail("function", fmt::format("more than {} functions", most_peers));
    for (const auto* one : functions) read_function(*one);
    if (!errors_.is_clean()) return;

    const auto count = table_.peers.size();
    table_.reach.resize(count * count);
    is_told_.resize(count * count);
    for (const auto* one : reaches) read_reach(*one);
    // A table that was cut off lacks some.
    if (errors_.is_clean() && reaches.size() + count != count * count)
      fields.fail("reach", fmt::format("{} pairs of {} functions must each be there once, {} are", count * count - count, count,
                                       reaches.size()));
  }

 private:
  void read_function(const toml::table& one) {
    TomlFields fields(one, errors_);
    const auto address = read_address(fields, "address");
    const auto [vendor, device] = read_ids(fields, "id");
    const auto [subsystem_vendor, subsystem_device] = read_ids(fields, "subsystem");
    fields.finish();
    const auto place = lower_bound(address);
    if (place != table_.peers.end() && place->address == address) return fields.fail("address", "this function is there already");
    table_.peers.insert(place, Peer{address, vendor, device, subsystem_vendor, subsystem_device});
  }

  void read_reach(const toml::table& one) {
    TomlFields fields(one, errors_);
    const auto from = find(fields, "from");
    const auto to = find(fields, "to");
    const Reach reach{.writes = fields.answer("writes"), .reads = fields.answer("reads")};
    fields.finish();
    if (!from || !to) return;
    if (*from == *to) return fields.fail("to", "'from' and 'to' are one function");
    const auto index = *from * table_.peers.size() + *to;
    if (is_told_[index]) return fields.fail("from", "this pair is there already");
    is_told_[index] = true;
    table_.reach[index] = reach;
  }

  std::vector<Peer>::iterator lower_bound(const Address& address) {
    return std::lower_bound(table_.peers.begin(), table_.peers.end(), address,
                            [](const Peer& peer, const Address& other) { return peer.address < other; });
  }

  std::optional<std::size_t> find(TomlFields& fields, std::string_view key) {
    const auto address = read_address(fields, key);
    const auto place = lower_bound(address);
    if (place != table_.peers.end() && place->address == address) return static_cast<std::size_t>(place - table_.peers.begin());
    fields.fail(key, fmt::format("there is no [[function]] with the address of '{}'", key));
    return std::nullopt;
  }

  PeersTable& table_;
  TomlErrors& errors_;
  std::vector<bool> is_told_;
};

Tristate more_careful(Tristate one, Tristate other) {
  if (one == Tristate::no || other == Tristate::no) return Tristate::no;
  return one == other ? one : Tristate::unknown;
}

struct Told {
  Reach reach;
  std::string source;
};

// NV_PCI_VIRTUAL_P2P_APPROVAL_CAP, platform-knowledge §6.2: functions of one clique may; of others it says nothing good.
std::optional<Told> told_by_cliques(const Function& initiator, const Function& target) {
  if (initiator.vendor != nvidia || target.vendor != nvidia || !initiator.clique || !target.clique) return std::nullopt;
  const bool is_one = *initiator.clique == *target.clique;
  const auto answer = is_one ? Tristate::yes : Tristate::unknown;
  return Told{.reach = {.writes = answer, .reads = answer},
              .source = is_one
                            ? fmt::format("NVIDIA P2P clique {}", unsigned{*initiator.clique})
                            : fmt::format("NVIDIA P2P cliques {} and {}", unsigned{*initiator.clique}, unsigned{*target.clique})};
}

std::string_view word(Tristate value) { return value == Tristate::yes ? "yes" : value == Tristate::no ? "no" : "unknown"; }

std::string words(const Reach& reach) { return fmt::format("writes {}, reads {}", word(reach.writes), word(reach.reads)); }

}  // namespace

Peer Peer::of(const Function& function) {
  return {.address = function.address,
          .vendor = function.vendor,
          .device = function.device,
          .subsystem_vendor = function.subsystem_vendor,
          .subsystem_device = function.subsystem_device};
}

const Reach* PeersTable::find(const Function& initiator, const Function& target) const {
  const auto index = [&](const Function& function) {
    const auto place = std::lower_bound(peers.begin(), peers.end(), Peer::of(function));
    return place != peers.end() && *place == Peer::of(function) ? static_cast<std::size_t>(place - peers.begin()) : peers.size();
  };
  const auto from = index(initiator);
  const auto to = index(target);
  if (from == peers.size() || to == peers.size() || from == to) return nullptr;
  return &reach[from * peers.size() + to];
}

Outcome<PeersTable> parse_peers(std::string_view text, const std::string& file) {
  const auto root = parse_toml(text, file);
  if (!root) return error_of(root);
  PeersTable table{.source = file, .peers = {}, .reach = {}};
  TomlErrors errors(file);
  PeersReader(table, errors).read(*root);
  if (!errors.is_clean()) return refuse(ErrorCode::invalid_argument, errors.first());
  return table;
}

std::string write_peers(const PeersTable& table) {
  auto text = fmt::format("peers_format = {}\n", peers_format);
  for (const auto& peer : table.peers)
    text += fmt::format("\n[[function]]\naddress = \"{}\"\nid = \"{:04x}:{:04x}\"\nsubsystem = \"{:04x}:{:04x}\"\n",
                        peer.address.to_string(), peer.vendor, peer.device, peer.subsystem_vendor, peer.subsystem_device);
  for (std::size_t from = 0; from < table.peers.size(); ++from) {
    for (std::size_t to = 0; to < table.peers.size(); ++to) {
      if (from == to) continue;
      const auto& reach = table.reach[from * table.peers.size() + to];
      text += fmt::format("\n[[reach]]\nfrom = \"{}\"\nto = \"{}\"\nwrites = \"{}\"\nreads = \"{}\"\n",
                          table.peers[from].address.to_string(), table.peers[to].address.to_string(), word(reach.writes),
                          word(reach.reads));
    }
  }
  return text;
}

std::optional<Description> describe(const std::vector<PeersTable>& tables, const Function& initiator, const Function& target) {
  std::vector<Told> told;
  for (const auto& table : tables)
    if (const auto* reach = table.find(initiator, target); reach != nullptr) told.push_back({*reach, table.source});
  if (auto cliques = told_by_cliques(initiator, target)) told.push_back(*std::move(cliques));
  if (told.empty()) return std::nullopt;

  Description description{.reach = told.front().reach, .source = told.front().source, .notes = {}};
  for (const auto& [reach, source] : told) {
    description.reach.writes = more_careful(description.reach.writes, reach.writes);
    description.reach.reads = more_careful(description.reach.reads, reach.reads);
  }
  // Who said it, and who said something else.
  const auto counts = std::find_if(told.begin(), told.end(), [&](const Told& one) { return one.reach == description.reach; });
  if (counts != told.end()) description.source = counts->source;
  for (const auto& [reach, source] : told)
    if (reach != description.reach)
      description.notes.push_back(fmt::format("descriptions-differ: {} says {}; the more careful counts", source, words(reach)));
  return description;
}

bool is_described(const std::vector<PeersTable>& tables, const Machine& machine) {
  const auto& functions = machine.functions();
  const auto is_there = [&](const Peer& peer) {
    const auto* function = machine.find(peer.address);
    return function != nullptr && Peer::of(*function) == peer;
  };
  const bool is_in_a_table = std::any_of(tables.begin(), tables.end(), [&](const PeersTable& table) {
    return std::count_if(table.peers.begin(), table.peers.end(), is_there) > 1;
  });
  return is_in_a_table || std::count_if(functions.begin(), functions.end(), [](const Function& function) {
                            return function.vendor == nvidia && function.clique.has_value();
                          }) > 1;
}

}  // namespace p2pd
