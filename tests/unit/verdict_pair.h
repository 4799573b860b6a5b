// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A pair that works, on a switch route; what a test changes is judged.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "builders.h"
#include "verdict/judge.h"

namespace p2pd::test {

// The pair, taken apart: what a case changes before it is judged.
struct Pair {
  HostChange host = [](HostFacts&) {};
  Change initiator = [](Function&) {};
  Change target = [](Function&) {};
  Change switch_port = acs_clear;  // both downstream ports
  std::string initiator_name = "0000:03:00.0";
  std::string target_name = "0000:04:00.0:2";
  unsigned address_bits = 64;

  [[nodiscard]] Machine machine() const {
    return a_machine().on(host).with(
        a_root_port("0000:00:02.0")
            .with(acs_redirect,
                  a_switch("0000:01:00.0")
                      .with(a_port("0000:02:00.0").with(switch_port, an_endpoint("0000:03:00.0").with(bar(0, 4_KiB), initiator)),
                            a_port("0000:02:01.0")
                                .with(switch_port, an_endpoint("0000:04:00.0").with(bar(1, 256), bar(2, 1_MiB), target)))),
        a_root_port("0000:00:03.0").with(an_endpoint("0000:09:00.0").with(driver("nvme"))));
  }
  [[nodiscard]] Verdict judged() const {
    return judge(machine(), shipped_tables(), at(initiator_name), test::target(target_name), {.address_bits = address_bits});
  }
};

inline std::vector<std::string> codes(const Verdict& verdict) {
  std::vector<std::string> codes;
  for (const auto& blocker : verdict.blockers) codes.push_back(blocker.code);
  return codes;
}

inline Blocker only_blocker(const Pair& pair) {
  const auto verdict = pair.judged();
  EXPECT_EQ(verdict.blockers.size(), 1U);
  return verdict.blockers.empty() ? Blocker{} : verdict.blockers.front();
}

}  // namespace p2pd::test
