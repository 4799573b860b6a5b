// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a command works with: the options that all commands have, where to write, and the way to values.
#pragma once

#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "cli/dump_options.h"
#include "cli/password_agent.h"
#include "cli/source.h"
#include "cli/table.h"
#include "p2pclient/client.h"
#include "p2pclient/monitor.h"

namespace p2pclient::cli {

// The world outside, so that tests can be one.
struct Terminal {
  std::ostream& out;
  std::ostream& err;
  Style style;  // what suits the terminal; options may say otherwise
};

struct GlobalOptions {
  bool json = false;
  DumpOptions dump;
  std::string bus = "system";
  bool no_ask_password = false;
  std::string color = "auto";
};

class Context {
 public:
  // `may_ask`: what the command does may need a password.
  Context(Terminal terminal, GlobalOptions options, std::vector<std::string> rest, bool may_ask);

  [[nodiscard]] bool json() const { return options_.json; }
  [[nodiscard]] const Style& style() const { return terminal_.style; }
  // What came after `--`.
  [[nodiscard]] const std::vector<std::string>& rest() const { return rest_; }

  // To standard output.
  void print(const std::string& text);
  // The same, and at once; false when nobody reads it any more.
  [[nodiscard]] bool print_now(const std::string& text);
  // To standard error, `p2p-client: note: …`.
  void note(const std::string& text);
  // What verdicts of this source lack.
  void note_unknowns(Source& source);
  // To standard error, `p2p-client: error: …`.
  void fail(const std::string& text);
  // What an operation did.
  void print_done(const std::string& verb, const std::string& object);

  // For commands that look. Throws Error.
  [[nodiscard]] std::unique_ptr<Source> source();
  // Throws Error.
  [[nodiscard]] Monitor monitor() const;
  // For commands that do something: when they may need a password, polkit may ask for it on the terminal as long as the
  // context lives. Throws Error.
  [[nodiscard]] Client client();
  // Before another program takes the terminal.
  void stop_asking() { agent_.reset(); }

 private:
  Terminal terminal_;
  GlobalOptions options_;
  std::vector<std::string> rest_;
  bool may_ask_;
  std::unique_ptr<PasswordAgent> agent_;
};

}  // namespace p2pclient::cli
