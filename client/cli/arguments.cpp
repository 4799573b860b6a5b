// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <cmath>

namespace p2pclient::cli {

void add_function(CLI::App& app, std::string& address) {
  app.add_option("FUNCTION", address, "its address, dddd:bb:dd.f")->required()->type_name("");
}

void add_initiator(CLI::App& app, std::string& initiator) {
  app.add_option("INITIATOR", initiator, "the function that issues the DMA, dddd:bb:dd.f")->required()->type_name("");
}

void add_target(CLI::App& app, std::string& target) {
  app.add_option("TARGET", target, "a BAR or a part of one, ADDRESS:BAR[:OFFSET+LENGTH]")->required()->type_name("");
}

void add_pair(CLI::App& app, std::string& initiator, std::string& target) {
  add_initiator(app, initiator);
  add_target(app, target);
}

void add_address_bits(CLI::App& app, std::optional<unsigned>& bits) {
  app.add_option("--address-bits", bits, "how far the initiator's DMA engine reaches, 1 to 64 (64)")
      ->type_name("N")
      ->check(CLI::Range(1U, 64U).description(""));
}

void add_pair(CLI::App& app, PairArguments& arguments) {
  add_pair(app, arguments.initiator, arguments.target);
  add_address_bits(app, arguments.address_bits);
}

void add_access(CLI::App& app, std::optional<Access>& access, const std::string& what) {
  app.add_option_function<std::string>(
         "--access", [&access](const std::string& word) { access = parse_access(word); }, what)
      ->type_name("ACCESS")
      ->check(CLI::IsMember({"r", "w", "rw"}).description(""));
}

void add_take_back(CLI::App& app, TakeBackOptions& options) {
  app.add_flag("--force", options.force, "take it from those who use it");
  app.add_option_function<double>(
         "--grace", [&options](double seconds) { options.grace = std::chrono::milliseconds{std::llround(seconds * 1000)}; },
         "how long they get to quiesce, with --force (0)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 600.0).description(""));
}

}  // namespace p2pclient::cli
