// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/explanation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

namespace p2pclient::cli {

namespace {

std::string address_of(const std::string& target) {
  // ADDRESS:BAR[:RANGE]: an address ends with the digit behind its dot.
  const auto dot = target.find('.');
  return dot == std::string::npos ? target : target.substr(0, dot + 2);
}

// The function, the bridge above it, … A VF is where its PF is, and sends packets as large as its PF does.
std::vector<Device> way_up(Source& source, const std::string& address) {
  std::vector<Device> way{source.device(address)};
  const auto is_new = [&](const std::string& next) {
    return std::none_of(way.begin(), way.end(), [&](const Device& device) { return device.address == next; });
  };
  for (;;) {
    auto& last = way.back();
    auto next = last.parent;
    if (!last.physical_function.empty()) {
      const auto physical = source.device(last.physical_function);
      last.max_payload = physical.max_payload;
      next = physical.parent;
    }
    if (next.empty() || !is_new(next)) return way;
    way.push_back(source.device(next));
  }
}

// A request that the root complex sends down again passes the ports that both share twice.
std::vector<Hop> path_between(const std::vector<Device>& up, const std::vector<Device>& down, bool is_through_root) {
  auto meets = down.begin();
  auto turn = up.end();
  for (; !is_through_root && meets != down.end() && turn == up.end(); ++meets)
    turn = std::find_if(up.begin(), up.end(), [&](const Device& device) { return device.address == meets->address; });
  if (turn != up.end()) --meets;
  if (is_through_root) meets = down.end();

  std::vector<Hop> path;
  std::transform(up.begin(), turn, std::back_inserter(path), [](const Device& device) { return Hop{device, Hop::Way::up}; });
  if (turn != up.end()) path.push_back({*turn, Hop::Way::turn});
  std::transform(std::make_reverse_iterator(meets), down.rend(), std::back_inserter(path),
                 [](const Device& device) { return Hop{device, Hop::Way::down}; });
  return path;
}

// Codes that make the answer what it is.
std::string codes(const Verdict& verdict, bool is_certain, bool with_setup) {
  std::vector<std::string> found;
  for (const auto& blocker : verdict.blockers) {
    const bool counts = blocker.severity != "limit" && (with_setup || blocker.severity != "setup");
    if (counts && blocker.is_certain == is_certain && std::find(found.begin(), found.end(), blocker.code) == found.end())
      found.push_back(blocker.code);
  }
  return fmt::format("{}", fmt::join(found, ", "));
}

std::string by_route(const std::string& route) {
  if (route == "switch") return "below the root complex, past the IOMMU";
  if (route == "root-complex") return "through the root complex and the IOMMU";
  if (route == "described") return "as a description says";
  return "by route " + route;
}

}  // namespace

Explanation explain(Source& source, const std::string& initiator, const std::string& target,
                    std::optional<unsigned> address_bits) {
  Explanation explanation;
  explanation.verdict = source.check(initiator, target, address_bits);
  explanation.path =
      path_between(way_up(source, explanation.verdict.initiator), way_up(source, address_of(explanation.verdict.target)),
                   explanation.verdict.route == "root-complex");
  explanation.reach = source.reach_set(explanation.verdict.initiator);
  return explanation;
}

std::string sentence(const Verdict& verdict) {
  const auto pair = verdict.initiator + " -> " + verdict.target;
  if (verdict.answer == Answer::yes) return fmt::format("{}: yes, {}.", pair, by_route(verdict.route));
  if (verdict.possible == Answer::no)
    return fmt::format("{}: no, and nothing that can be switched now changes it ({}).", pair, codes(verdict, true, false));
  if (verdict.possible == Answer::unknown)
    return fmt::format("{}: not known, which is no yes ({}).", pair, codes(verdict, false, false));
  const bool is_no = verdict.answer == Answer::no;
  return fmt::format("{}: {}, but possible {} ({}).", pair, is_no ? "not yet" : "not known", by_route(verdict.route),
                     codes(verdict, is_no, true));
}

std::string to_string(Hop::Way way) {
  switch (way) {
    case Hop::Way::up: return "up";
    case Hop::Way::turn: return "turn";
    case Hop::Way::down: break;
  }
  return "down";
}

}  // namespace p2pclient::cli
