// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The rules of p2pd over the dump of another machine: what needs a look at this machine is unknown there.
#include "cli/rules.h"
#include "cli/source.h"
#include "model/machine.h"
#include "platform/files.h"
#include "platform/ports.h"
#include "sources/source.h"
#include "topology/topology.h"
#include "verdict/judge.h"

namespace p2pclient::cli {

namespace {

[[noreturn]] void fail(std::string_view name, const std::string& text) { throw Error(std::string(name), text); }

p2pd::Address parse_address(const std::string& text) {
  const auto address = p2pd::Address::parse(text);
  if (!address) fail(error_name::invalid_argument, "`" + text + "` is no address: dddd:bb:dd.f");
  return *address;
}

p2pd::TargetName parse_target(const std::string& text) {
  const auto target = p2pd::TargetName::parse(text);
  if (!target) fail(error_name::invalid_argument, "`" + text + "` is no target: ADDRESS:BAR[:OFFSET+LENGTH]");
  return *target;
}

PairSummary summarize(const p2pd::Outliner& outliner, const p2pd::PairEnd& initiator, const p2pd::PairEnd& target) {
  PairSummary pair;
  pair.is_same = initiator.place.function == target.place.function;
  if (pair.is_same) return pair;
  const auto outline = outliner.between(initiator, target);
  pair.possible = to_answer(outline.possible);
  pair.answer = to_answer(outline.answer);
  pair.route = p2pd::to_string(outline.route);
  return pair;
}

// The index of `pair` in `kinds`, where it is put when it is new. Few kinds: answers × answers × routes.
std::uint8_t index_of(const PairSummary& pair, std::vector<PairSummary>& kinds) {
  for (std::size_t i = 0; i < kinds.size(); ++i)
    if (kinds[i] == pair) return static_cast<std::uint8_t>(i);
  kinds.push_back(pair);
  return static_cast<std::uint8_t>(kinds.size() - 1);
}

class DumpSource final : public Source {
 public:
  DumpSource(p2pd::Machine machine, p2pd::PlatformFiles::Reading platform, std::string unknowns)
      : platform_(std::move(platform)),
        machine_(p2pd::with_known_ports(std::move(machine), platform_.tables)),
        unknowns_(std::move(unknowns)) {}

  std::vector<Device> devices() override {
    std::vector<Device> devices;
    for (const auto& function : machine_.functions()) devices.push_back(to_device(function));
    return devices;
  }

  Device device(const std::string& address) override { return to_device(find(parse_address(address))); }

  Verdict check(const std::string& initiator, const std::string& target, std::optional<unsigned> address_bits) override {
    return to_verdict(judge(find(parse_address(initiator)).address, find(parse_target(target)), address_bits));
  }

  ReachSet reach_set(const std::string& initiator) override {
    const auto found = p2pd::reach_set(machine_, find(parse_address(initiator)));
    ReachSet reach{.is_complete = found.is_complete};
    for (const auto& target : p2pd::targets_in(machine_, found)) reach.targets.push_back(target.to_string());
    return reach;
  }

  Matrix check_all(const std::vector<std::string>& initiators, const std::vector<std::string>& targets) override {
    const p2pd::Outliner outliner(machine_, platform_.tables);
    Matrix matrix;
    std::vector<p2pd::PairEnd> rows;
    std::vector<p2pd::PairEnd> columns;
    for (const auto& name : initiators.empty() ? all_initiators() : initiators) {
      const auto& address = find(parse_address(name)).address;
      matrix.initiators.push_back(address.to_string());
      rows.push_back(outliner.initiator(address));
      rows.back().conclude();
    }
    for (const auto& name : targets.empty() ? all_targets() : targets) {
      const auto target = find(parse_target(name));
      matrix.targets.push_back(target.to_string());
      columns.push_back(outliner.target(target));
      columns.back().conclude();
    }
    matrix.cells.reserve(rows.size() * columns.size());
    for (const auto& initiator : rows)
      for (const auto& target : columns) matrix.cells.push_back(index_of(summarize(outliner, initiator, target), matrix.kinds));
    return matrix;
  }

  // Those of this machine are not those of the dump's.
  std::vector<std::string> problems() override { return platform_.problems; }
  std::string unknowns() override { return unknowns_; }

 private:
  [[nodiscard]] const p2pd::Function& find(const p2pd::Address& address) const {
    const auto* function = machine_.find(address);
    if (function == nullptr) fail(error_name::not_found, "no function " + address.to_string() + " in the dump");
    return *function;
  }

  [[nodiscard]] p2pd::TargetName find(const p2pd::TargetName& target) const {
    if (find(target.device).find_bar(target.bar) == nullptr)
      fail(error_name::not_found, target.device.to_string() + " has no BAR " + std::to_string(target.bar));
    return target;
  }

  [[nodiscard]] p2pd::Verdict judge(const p2pd::Address& initiator, const p2pd::TargetName& target,
                                    std::optional<unsigned> address_bits) const {
    return p2pd::judge(machine_, platform_.tables, initiator, target, {address_bits.value_or(0)});
  }

  [[nodiscard]] std::vector<std::string> all_initiators() const {
    std::vector<std::string> names;
    for (const auto& function : machine_.functions())
      if (!function.is_bridge()) names.push_back(function.address.to_string());
    return names;
  }

  [[nodiscard]] std::vector<std::string> all_targets() const {
    std::vector<std::string> names;
    for (const auto& function : machine_.functions())
      for (const auto& bar : function.bars)
        if (!function.is_bridge() && bar.is_memory && bar.is_assigned)
          names.push_back(p2pd::TargetName{function.address, bar.index, {}, {}}.to_string());
    return names;
  }

  p2pd::PlatformFiles::Reading platform_;
  p2pd::Machine machine_;
  std::string unknowns_;
};

p2pd::HostFacts add_facts(p2pd::HostFacts host, const DumpOptions& options) {
  if (const auto cpu = parse_cpu(options.cpu)) {
    host.cpu_vendor = cpu->vendor;
    host.cpu_family = cpu->family;
  }
  host.kernel_release = options.kernel;
  if (!options.virtualization.empty()) host.virtualization = options.virtualization;
  if (!options.iommu.empty()) host.iommu = options.iommu == "on" ? p2pd::Tristate::yes : p2pd::Tristate::no;
  return host;
}

// Who reaches whom on this machine says nothing about another.
p2pd::PlatformPlaces platform_places(const std::string& directory) {
  p2pd::PlatformPlaces places{.operator_peers = "", .hypervisor_peers = ""};
  if (directory.empty()) return places;
  places.shipped = directory;
  places.overrides = "";
  return places;
}

}  // namespace

std::unique_ptr<Source> open_dump(const DumpOptions& options) {
  const auto dump = p2pd::read_dump(options.file);
  if (!dump) fail(error_name::failed, dump.error().text);
  return std::make_unique<DumpSource>(p2pd::Machine(add_facts(dump->host(), options), dump->functions()),
                                      p2pd::PlatformFiles(platform_places(options.platform)).read(), options.not_given());
}

}  // namespace p2pclient::cli
