// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the manual, the completion and the README say is what the program has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "cli/command.h"
#include "client_fixtures.h"
#include "test_paths.h"

namespace p2pclient::test {
namespace {

using testing::HasSubstr;

const std::string source = P2PD_TEST_DATA "/../..";

std::set<std::string> options_in(const std::string& text) {
  const std::regex option("--[a-z][a-z-]+");
  return {std::sregex_token_iterator(text.begin(), text.end(), option), {}};
}

std::string help_of(const std::string& command) { return p2p_client({command, "--help"}).out; }

TEST(ClientDocumentation, NamesEveryCommandWithItsOptionsInTheManual) {
  // mdoc writes `--json` as `Fl \-json`.
  const auto manual = std::regex_replace(read_text(source + "/packaging/man/p2p-client.1"), std::regex(R"(Fl \\-)"), "--");
  for (const auto& command : cli::commands()) {
    EXPECT_THAT(manual, HasSubstr(".It Cm " + command.name));
    for (const auto& option : options_in(help_of(command.name))) EXPECT_THAT(manual, HasSubstr(option)) << command.name;
  }
  for (const auto& option : options_in(p2p_client({"--help"}).out)) EXPECT_THAT(manual, HasSubstr(option));
}

TEST(ClientDocumentation, CompletesEveryCommandAndOptionAndNoOther) {
  const auto completion = read_text(source + "/packaging/completions/bash/p2p-client");
  std::string names;
  auto known = options_in(p2p_client({"--help"}).out);
  for (const auto& command : cli::commands()) {
    names += (names.empty() ? "" : " ") + command.name;
    known.merge(options_in(help_of(command.name)));
  }
  EXPECT_THAT(completion, HasSubstr("local commands='" + names + "'"));
  EXPECT_EQ(options_in(completion), known);
}

TEST(ClientDocumentation, ShowsTheMinimalExampleInTheReadme) {
  const auto example = read_text(source + "/client/examples/minimal.cpp");
  const auto code = example.substr(example.find("#include"));
  ASSERT_GT(code.size(), 100U);
  EXPECT_THAT(read_text(source + "/README.md"), HasSubstr(code));
}

}  // namespace
}  // namespace p2pclient::test
