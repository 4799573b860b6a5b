// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tests/data/generate and what it wrote.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

#include "shipped_tables.h"
#include "sources/source.h"
#include "test_paths.h"
#include "verdict/judge.h"

namespace p2pd::test {
namespace {

// What `command` prints.
std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string text;
  char buffer[65536];
  for (std::size_t count = 0; pipe && (count = std::fread(buffer, 1, sizeof buffer, pipe.get())) > 0;) text.append(buffer, count);
  return text;
}

TEST(GeneratedDumps, AreWhatTheGeneratorWrites) { EXPECT_EQ(output_of(P2PD_TEST_DATA "/generate --check; echo $?"), "0\n"); }

TEST(GeneratedDumps, OfThirteenThousandFunctionsAreReadAndJudged) {
  const auto machine = parse_dump(output_of(P2PD_TEST_DATA "/generate --large 13000"));
  ASSERT_TRUE(machine) << machine.error().text;
  ASSERT_EQ(machine->functions().size(), 13000U);
  const auto verdict =
      judge(*machine, shipped_tables(), Address::parse("0000:03:00.0").value(), TargetName::parse("0000:04:00.0:2").value());
  EXPECT_EQ(verdict.possible, Answer::unknown) << "nobody said what machine it is";
}

}  // namespace
}  // namespace p2pd::test
