// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/chrono.h>

#include <CLI/CLI.hpp>
#include <ctime>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/text.h"

namespace p2pclient::cli {

namespace {

// A function by its address, a grant by the end of its path, and what there is to know of it.
struct Described {
  std::string name;
  std::string text;
};

Described describe(const Change::Object& object) {
  struct Describe {
    Described operator()(const std::monostate&) const { return {"p2pd", ""}; }
    Described operator()(const Device& device) const { return {device.address, class_title(device) + ": " + title(device)}; }
    Described operator()(const HoldingInfo& holding) const { return {short_name(holding.path), holding.initiator}; }
    Described operator()(const MappingInfo& mapping) const {
      return {short_name(mapping.path), (mapping.target.empty() ? "memory" : mapping.target) + " at " +
                                            hex(mapping.cookie.value) + ", " + size(mapping.length)};
    }
  };
  return std::visit(Describe{}, object);
}

std::string text_of(const Change& change) {
  const auto [name, text] = describe(std::holds_alternative<std::monostate>(change.after) ? change.before : change.after);
  const auto now = fmt::localtime(std::time(nullptr));
  const auto line = [&](const std::string& what) {
    return fmt::format("{:%H:%M:%S} {:<8} {}{}{}\n", now, to_string(change.event), name, what.empty() ? "" : "  ", what);
  };
  if (change.event == Change::Event::revoking)
    return line(fmt::format("{} ({} ms from now)", change.reason, change.deadline.count()));
  if (change.event == Change::Event::revoked) return line(change.reason);
  if (change.event != Change::Event::changed) return line(text);
  std::string lines;
  for (const auto& difference : differences(change)) lines += line(difference);
  return lines;
}

}  // namespace

Command monitor_command() {
  return {.name = "monitor",
          .summary = "what changes, as it happens, until it is interrupted",
          .declare = [](CLI::App&) -> Command::Run {
            return [](Context& context) {
              auto monitor = context.monitor();
              while (const auto change = monitor.next()) {
                // Who reads a pipe wants each line when it is true.
                if (!context.print_now(context.json() ? change_json(*change) : text_of(*change))) break;
              }
              return exit_yes;
            };
          }};
}

}  // namespace p2pclient::cli
