// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads with 10-bit tags, and targets that give back 8 bits of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verdict_pair.h"

namespace p2pd::test {

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto yes = Answer::yes;
constexpr auto no = Answer::no;
constexpr auto unknown = Answer::unknown;

using Told = std::optional<bool>;
constexpr Told unread;

Change sends(Told value) {
  return [=](Function& function) { function.sends_ten_bit_tags = value; };
}
Change completes(Told value) {
  return [=](Function& function) { function.completes_ten_bit_tags = value; };
}

Answer answer(Told requester, Told completer, const Change& ports = acs_clear) {
  const auto verdict = Pair{.initiator = sends(requester), .target = completes(completer), .switch_port = ports}.judged();
  EXPECT_NE(verdict.possible, no) << "somebody can switch it off";
  for (const auto& blocker : verdict.blockers) EXPECT_EQ(blocker.code, "ten-bit-tags");
  return verdict.answer;
}

TEST(TenBitTags, NeedATargetThatCompletesThem) {
  for (const auto& ports : {Change(acs_clear), Change(acs_redirect)}) {
    EXPECT_EQ(answer(true, true, ports), yes);
    EXPECT_EQ(answer(true, false, ports), no);
    EXPECT_EQ(answer(true, unread, ports), unknown);
    EXPECT_EQ(answer(false, true, ports), yes);
    EXPECT_EQ(answer(false, false, ports), yes);
    EXPECT_EQ(answer(false, unread, ports), yes);
    EXPECT_EQ(answer(unread, true, ports), yes);
    EXPECT_EQ(answer(unread, false, ports), unknown);
    EXPECT_EQ(answer(unread, unread, ports), unknown);
  }
}

TEST(TenBitTags, AreClearedInTheInitiator) {
  const auto blocker = only_blocker({.initiator = sends(true), .target = completes(false)});
  EXPECT_EQ(blocker.where, "0000:03:00.0");
  EXPECT_EQ(blocker.remedy, "setpci -s 0000:03:00.0 CAP_EXP+28.w=0000:1000");
  EXPECT_EQ(only_blocker({.initiator = sends(unread), .target = completes(false)}).remedy, "sudo lspci -xxxx");
  const auto locked = [](HostFacts& host) { host.lockdown = Tristate::yes; };
  EXPECT_EQ(only_blocker({.host = locked, .initiator = sends(true), .target = completes(false)}).remedy, "");
}

TEST(TenBitTags, DoNotMatterToWrites) {
  const auto with = [](Access access) {
    const Pair pair{.initiator = sends(true), .target = completes(false)};
    return codes(judge(pair.machine(), shipped_tables(), at(pair.initiator_name), target(pair.target_name), {.access = access}));
  };
  EXPECT_THAT(with(Access::write), IsEmpty());
  EXPECT_THAT(with(Access::read), ElementsAre("ten-bit-tags"));
  EXPECT_THAT(with(Access::read_write), ElementsAre("ten-bit-tags"));
}

TEST(TenBitTags, OfAVirtualFunctionAreClearedInItsPhysicalOne) {
  const Machine machine = a_machine().with(
      a_root_port("0000:00:02.0")
          .with(acs_redirect, an_endpoint("0000:03:00.0").with(driver("nvme")),
                a_virtual_function("0000:03:00.1", "0000:03:00.0").with(sends(true))),
      a_root_port("0000:00:03.0").with(acs_redirect, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB), completes(false))));
  const auto verdict = judge(machine, shipped_tables(), at("0000:03:00.1"), target("0000:04:00.0:2"));
  ASSERT_THAT(codes(verdict), ElementsAre("ten-bit-tags"));
  EXPECT_EQ(verdict.blockers.front().remedy, "setpci -s 0000:03:00.0 ECAP_SRIOV+8.w=0000:0020");
}

// On the link it is the bridge that asks and answers.
TEST(TenBitTags, OfAConventionalFunctionAreThoseOfTheBridgeAboveIt) {
  const auto forgets_tags = [](Function& function) {
    function.sends_ten_bit_tags = function.completes_ten_bit_tags = std::nullopt;
  };
  const auto with = [&](Told bridge_sends, Told bridge_completes, bool is_initiator) {
    const Machine machine = a_machine().with(
        a_root_port("0000:00:02.0")
            .with(acs_redirect, a_pci_bridge("0000:02:00.0")
                                    .with(sends(bridge_sends), completes(bridge_completes),
                                          a_conventional_device("0000:03:00.0").with(bar(2, 1_MiB), forgets_tags))),
        a_root_port("0000:00:03.0")
            .with(acs_redirect, an_endpoint("0000:04:00.0").with(bar(2, 1_MiB), sends(!is_initiator), completes(!is_initiator))));
    const auto verdict = is_initiator ? judge(machine, shipped_tables(), at("0000:03:00.0"), target("0000:04:00.0:2"))
                                      : judge(machine, shipped_tables(), at("0000:04:00.0"), target("0000:03:00.0:2"));
    return codes(verdict);
  };
  EXPECT_THAT(with(false, false, true), IsEmpty());
  EXPECT_THAT(with(true, false, true), ElementsAre("ten-bit-tags"));
  EXPECT_THAT(with(false, true, false), IsEmpty());
  EXPECT_THAT(with(false, false, false), ElementsAre("ten-bit-tags"));
}

}  // namespace

}  // namespace p2pd::test
