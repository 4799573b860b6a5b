// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a virtual machine cannot see, for it to read: who of the functions that it gets reaches whom. docs/platform.md.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <set>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "platform/peers.h"

namespace p2pclient::cli {

namespace {

struct Exported {
  Device device;
  p2pd::Address in_guest;
};

[[noreturn]] void refuse(const std::string& text) { throw Error(std::string(error_name::invalid_argument), text); }

// ADDRESS, or ADDRESS=ADDRESS-IN-THE-GUEST.
Exported parse_exported(Source& source, const std::string& text) {
  const auto equals = text.find('=');
  const auto here = text.substr(0, equals);
  const auto there = equals == std::string::npos ? here : text.substr(equals + 1);
  const auto in_guest = p2pd::Address::parse(there);
  if (!in_guest) refuse("`" + there + "` is no address: dddd:bb:dd.f");
  return {source.device(here), *in_guest};
}

bool has_memory(const Bar& bar) { return bar.is_memory && bar.is_assigned; }

// Whether all requests of it, whatever address is in them, go up to the IOMMU: the addresses of a guest are not the host's,
// and may be those of some other BAR here.
bool is_isolated(const ReachSet& reach) { return reach.is_complete && reach.targets.empty(); }

// What an operator answers for here: the guest must know it.
constexpr std::string_view unsafe_entry = "unsafe-platform-entry";

// Yes only to what goes up to the root complex and comes down again, and only where that holds for each BAR.
p2pd::Reach find_reach(Source& source, const Device& initiator, const ReachSet& past_the_iommu, const Device& target,
                       std::set<std::string>& unsafe) {
  using p2pd::Tristate;
  if (std::none_of(target.bars.begin(), target.bars.end(), has_memory)) return {};
  bool all_yes = is_isolated(past_the_iommu);
  p2pd::Reach reach;
  for (const auto& bar : target.bars) {
    if (!has_memory(bar)) continue;
    const auto verdict = source.check(initiator.address, target.address + ":" + std::to_string(bar.index), {});
    all_yes = all_yes && verdict.possible == Answer::yes && verdict.route == "root-complex";
    for (const auto& note : verdict.notes)
      if (note.starts_with(unsafe_entry)) unsafe.insert(note);
    if (verdict.writes == Answer::no) reach.writes = Tristate::no;
    if (verdict.reads == Answer::no) reach.reads = Tristate::no;
  }
  return all_yes ? p2pd::Reach{.writes = Tristate::yes, .reads = Tristate::yes} : reach;
}

// As comments, one a line.
std::string comments(const std::set<std::string>& notes) {
  std::string text;
  for (auto note : notes) {
    std::replace_if(note.begin(), note.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    text += "# " + note + "\n";
  }
  return text;
}

std::string make_table(Source& source, const std::vector<std::string>& names) {
  std::vector<Exported> exported;
  exported.reserve(names.size());
  for (const auto& name : names) exported.push_back(parse_exported(source, name));
  std::sort(exported.begin(), exported.end(), [](const Exported& a, const Exported& b) { return a.in_guest < b.in_guest; });
  const auto twice = std::adjacent_find(exported.begin(), exported.end(),
                                        [](const Exported& a, const Exported& b) { return a.in_guest == b.in_guest; });
  if (twice != exported.end()) refuse("two functions at " + twice->in_guest.to_string() + " in the guest");

  p2pd::PeersTable table;
  std::set<std::string> unsafe;
  for (const auto& [device, in_guest] : exported)
    table.peers.push_back({in_guest, device.vendor, device.device, device.subsystem_vendor, device.subsystem_device});
  for (const auto& from : exported) {
    const auto past_the_iommu = source.reach_set(from.device.address);
    for (const auto& to : exported)
      table.reach.push_back(&from == &to ? p2pd::Reach{} : find_reach(source, from.device, past_the_iommu, to.device, unsafe));
  }
  return comments(unsafe) + p2pd::write_peers(table);
}

}  // namespace

Command export_command() {
  return {.name = "export",
          .summary = "who of these functions reaches whom, for the virtual machine that gets them",
          .declare = [](CLI::App& app) -> Command::Run {
            struct Arguments {
              std::string format;
              std::vector<std::string> functions;
            };
            const auto arguments = std::make_shared<Arguments>();
            app.add_option("--format", arguments->format, "peers")
                ->type_name("FORMAT")
                ->required()
                ->check(CLI::IsMember({"peers"}).description(""));
            app.add_option("FUNCTION", arguments->functions, "ADDRESS, or ADDRESS=ADDRESS-IN-THE-GUEST where it is another")
                ->required()
                ->expected(2, static_cast<int>(p2pd::most_peers));
            return [arguments](Context& context) {
              if (context.json()) refuse("a table of peers is TOML: without --json");
              context.print(make_table(*context.source(), arguments->functions));
              return exit_yes;
            };
          },
          .works_offline = true};
}

}  // namespace p2pclient::cli
