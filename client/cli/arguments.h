// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Arguments that several commands have. The references must outlive the parsing.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "p2pclient/client.h"

namespace CLI {
class App;
}

namespace p2pclient::cli {

void add_function(CLI::App& app, std::string& address);
void add_initiator(CLI::App& app, std::string& initiator);
void add_target(CLI::App& app, std::string& target);
void add_pair(CLI::App& app, std::string& initiator, std::string& target);
// A question about a pair: check and explain.
struct PairArguments {
  std::string initiator;
  std::string target;
  std::optional<unsigned> address_bits;
};
void add_pair(CLI::App& app, PairArguments& arguments);
void add_address_bits(CLI::App& app, std::optional<unsigned>& bits);
// r, w or rw.
void add_access(CLI::App& app, std::optional<Access>& access, const std::string& what);
// --force and --grace of what takes something back.
void add_take_back(CLI::App& app, TakeBackOptions& options);

}  // namespace p2pclient::cli
