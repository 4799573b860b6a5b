// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/context.h"

#include <ostream>

#include "cli/json.h"

namespace p2pclient::cli {

Context::Context(Terminal terminal, GlobalOptions options, std::vector<std::string> rest, bool may_ask)
    : terminal_(terminal), options_(std::move(options)), rest_(std::move(rest)), may_ask_(may_ask && !options_.no_ask_password) {
  if (options_.color != "auto") terminal_.style.colors = options_.color == "always";
}

void Context::print(const std::string& text) { terminal_.out << text; }

bool Context::print_now(const std::string& text) {
  terminal_.out << text << std::flush;
  return terminal_.out.good();
}

void Context::note(const std::string& text) { terminal_.err << "p2p-client: note: " << text << '\n'; }

void Context::note_unknowns(Source& source) {
  if (const auto unknowns = source.unknowns(); !unknowns.empty()) note(unknowns);
}

void Context::fail(const std::string& text) { terminal_.err << "p2p-client: error: " << text << '\n'; }

void Context::print_done(const std::string& verb, const std::string& object) {
  print(json() ? done_json(verb, object) : verb + ": " + object + "\n");
}

std::unique_ptr<Source> Context::source() {
  if (!options_.dump.file.empty()) return open_dump(options_.dump);
  return open_daemon(Client::connect({.bus = options_.bus}));
}

Monitor Context::monitor() const { return Monitor::start({.bus = options_.bus}); }

Client Context::client() {
  if (may_ask_ && !agent_) agent_ = std::make_unique<PasswordAgent>();
  return Client::connect({.bus = options_.bus, .may_interact = may_ask_});
}

}  // namespace p2pclient::cli
