// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The machines that most tests of the arbiter play on.
#pragma once

#include "arbiter_desk.h"

namespace p2pd::test {

inline constexpr auto initiator = "0000:03:00.0";
inline constexpr auto peer_name = "0000:04:00.0:2";
inline constexpr auto other_initiator = "0000:05:00.0";

// Two endpoints and a third behind a switch whose ports redirect: the commonest real machine.
inline MachineBuilder redirecting_switch() {
  return a_machine().on(epyc).with(
      a_root_port("0000:00:02.0")
          .with(a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0").with(acs_redirect, an_endpoint(initiator).with(bar(0, 1_MiB))),
                          a_port("0000:02:01.0").with(acs_redirect, an_endpoint("0000:04:00.0").with(big_bar(2, 1_MiB))),
                          a_port("0000:02:02.0").with(acs_redirect, an_endpoint(other_initiator).with(bar(0, 1_MiB))))));
}

inline MachineBuilder plain_switch() {
  return a_machine().on(epyc).with(
      a_root_port("0000:00:02.0")
          .with(a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0").with(acs_clear, an_endpoint(initiator).with(bar(0, 1_MiB))),
                          a_port("0000:02:01.0").with(acs_clear, an_endpoint("0000:04:00.0").with(big_bar(2, 1_MiB))))));
}

// Target enabled, initiator offered.
struct ReadyDesk : Desk {
  explicit ReadyDesk(const Machine& machine = redirecting_switch(), Limits limits = {}) : Desk(machine, limits) {
    const auto enabled = enable(peer_name);
    kernel_works();
    EXPECT_TRUE(answer(enabled)) << answer(enabled).error().text;
    EXPECT_TRUE(answer(offer(initiator)));
    EXPECT_TRUE(answer(offer(other_initiator)).has_value() || arbiter().machine().find(at(other_initiator)) == nullptr);
  }
  HoldingId hold(const Caller& who = caller(alice), std::string_view what = initiator) {
    const auto request = acquire(who, what);
    kernel_works();
    return holding(request);
  }
};

}  // namespace p2pd::test
