// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builders.h"
#include "topology/topology.h"

namespace p2pd::test {

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::uint16_t linux_default = 0x1d;
constexpr std::uint16_t request_redirect = Acs::request_redirect;
constexpr std::uint16_t upstream_forwarding = Acs::upstream_forwarding;

std::vector<std::string> reach(const Machine& machine, std::string_view initiator) {
  std::vector<std::string> names;
  for (const auto& address : reach_set(machine, *machine.find(at(initiator))).functions) names.push_back(address.to_string());
  return names;
}

bool is_complete(const Machine& machine, std::string_view initiator) {
  return reach_set(machine, *machine.find(at(initiator))).is_complete;
}

Node an_initiator() { return an_endpoint("0000:03:00.0").with(bar(0, 4_KiB)); }
Node a_neighbour() { return an_endpoint("0000:04:00.0").with(bar(2, 1_MiB)); }

// Upstream port and downstream ports of the switch have a BAR each.
Machine a_switch_with(const Change& initiators_port, const Change& neighbours_port = acs_redirect) {
  return a_machine().with(
      a_root_port("0000:00:02.0")
          .with(acs_redirect, bar(0, 4_KiB),
                a_switch("0000:01:00.0")
                    .with(bar(0, 256_KiB), a_port("0000:02:00.0").with(initiators_port, bar(0, 4_KiB), an_initiator()),
                          a_port("0000:02:01.0").with(neighbours_port, bar(0, 4_KiB), a_neighbour()))),
      a_root_port("0000:00:03.0").with(acs_redirect, an_endpoint("0000:10:00.0").with(bar(0, 4_KiB))));
}

TEST(ReachSet, WithoutRedirectHasTheSwitchWithItsPortsAndWhatIsBelow) {
  EXPECT_THAT(reach(a_switch_with(acs_clear), "0000:03:00.0"),
              ElementsAre("0000:01:00.0", "0000:02:00.0", "0000:02:01.0", "0000:04:00.0"));
}

TEST(ReachSet, IsEmptyWhereThePortRedirects) { EXPECT_THAT(reach(a_switch_with(acs_redirect), "0000:03:00.0"), IsEmpty()); }

// Port numbers as the link capabilities tell them; the vector belongs to the initiator's port.
Machine with_egress_vector(std::uint16_t more, std::optional<std::uint32_t> vector) {
  const auto number = [](std::uint8_t value) { return [=](Function& function) { function.port_number = value; }; };
  const auto control = static_cast<std::uint16_t>(Acs::egress_control | Acs::upstream_forwarding | more);
  const auto port = [=](Function& function) {
    acs(control)(function);
    if (vector) function.acs.egress = {*vector};
  };
  return a_machine().with(
      a_root_port("0000:00:02.0")
          .with(
              acs_redirect,
              a_switch("0000:01:00.0")
                  .with(a_port("0000:02:00.0").with(port, number(1), an_initiator()),
                        a_port("0000:02:01.0").with(acs_redirect, number(2), a_neighbour()),
                        a_port("0000:02:02.0").with(acs_redirect, number(3), an_endpoint("0000:05:00.0").with(bar(0, 4_KiB))))));
}

TEST(ReachSet, GoesWhereTheEgressControlVectorLetsItGo) {
  EXPECT_THAT(reach(with_egress_vector(0, 0b0100), "0000:03:00.0"), ElementsAre("0000:05:00.0"));
  EXPECT_THAT(reach(with_egress_vector(Acs::request_redirect, 0b0100), "0000:03:00.0"), ElementsAre("0000:05:00.0"));
  EXPECT_THAT(reach(with_egress_vector(0, 0b1100), "0000:03:00.0"), IsEmpty());
  EXPECT_TRUE(is_complete(with_egress_vector(0, 0b0100), "0000:03:00.0"));
}

TEST(ReachSet, HasAllPeersWhereTheEgressControlVectorCouldNotBeRead) {
  EXPECT_THAT(reach(with_egress_vector(0, std::nullopt), "0000:03:00.0"), ElementsAre("0000:04:00.0", "0000:05:00.0"));
  EXPECT_FALSE(is_complete(with_egress_vector(0, std::nullopt), "0000:03:00.0"));
}

// Whose port cannot redirect at all may redirect by its wiring: in, but a guess.
TEST(ReachSet, IsNotCompleteBeyondAPortThatHasNoRedirect) {
  const auto machine = a_switch_with(acs(0, Acs::source_validation));
  EXPECT_THAT(reach(machine, "0000:03:00.0"), Contains("0000:04:00.0"));
  EXPECT_FALSE(is_complete(machine, "0000:03:00.0"));
}

TEST(ReachSet, IsSeenAsIfRedirectsWereOff) {
  const auto machine = a_switch_with(acs_redirect);
  const auto* port = machine.find(at("0000:02:00.0"));
  const auto& initiator = *machine.find(at("0000:03:00.0"));
  EXPECT_THAT(reach_set(machine, initiator).functions, IsEmpty());
  EXPECT_THAT(reach_set(machine, initiator, {&port, 1}).functions, Contains(at("0000:04:00.0")));
}

TEST(ReachSet, IsNotKeptInByCompletionRedirectAlone) {
  EXPECT_THAT(reach(a_switch_with(acs(Acs::completion_redirect)), "0000:03:00.0"), Contains("0000:04:00.0"));
}

TEST(ReachSet, IsDecidedByTheInitiatorsPortAndNotByTheNeighbours) {
  EXPECT_THAT(reach(a_switch_with(acs_clear, acs_redirect), "0000:03:00.0"), Contains("0000:04:00.0"));
  EXPECT_THAT(reach(a_switch_with(acs_redirect, acs_clear), "0000:03:00.0"), Not(Contains("0000:04:00.0")));
}

TEST(ReachSet, StopsAtTheRootComplex) {
  EXPECT_THAT(reach(a_switch_with(acs_clear), "0000:03:00.0"), Not(Contains("0000:10:00.0")));
}

TEST(ReachSet, LeavesOutFunctionsWithoutAMemoryBar) {
  const Machine machine = a_machine().with(
      a_root_port("0000:00:02.0")
          .with(a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0").with(an_initiator()), a_port("0000:02:01.0").with(an_endpoint("0000:04:00.0")),
                          a_port("0000:02:02.0").with(an_endpoint("0000:05:00.0").with(bar(0, 4_KiB))))));
  EXPECT_THAT(reach(machine, "0000:03:00.0"), ElementsAre("0000:05:00.0"));
}

TEST(ReachSet, IsNotCompleteWhereAPortsAcsCouldNotBeRead) {
  const auto machine = a_switch_with(acs_unknown);
  EXPECT_FALSE(is_complete(machine, "0000:03:00.0"));
  EXPECT_THAT(reach(machine, "0000:03:00.0"), Contains("0000:04:00.0"));
  EXPECT_TRUE(is_complete(a_switch_with(acs_clear), "0000:03:00.0"));
}

TEST(ReachSet, HasFunctionsOfTheSameDeviceUnlessTheInitiatorItselfRedirects) {
  const auto device = [](const Change& own_acs) -> Machine {
    return a_machine().with(a_root_port("0000:00:02.0")
                                .with(acs_redirect, an_endpoint("0000:03:00.0").with(multifunction, own_acs, bar(0, 4_KiB)),
                                      an_endpoint("0000:03:00.1").with(multifunction, bar(0, 4_KiB))));
  };
  EXPECT_THAT(reach(device(acs_clear), "0000:03:00.0"), ElementsAre("0000:03:00.1"));
  EXPECT_THAT(reach(device(acs(request_redirect)), "0000:03:00.0"), IsEmpty());
  EXPECT_TRUE(is_complete(device(acs_clear), "0000:03:00.0"));
  EXPECT_FALSE(is_complete(device(acs_unknown), "0000:03:00.0"));
}

TEST(ReachSet, OfASingleFunctionIsCompleteThoughItsOwnAcsCouldNotBeRead) {
  const Machine machine =
      a_machine().with(a_root_port("0000:00:02.0").with(acs_redirect, an_endpoint("0000:03:00.0").with(acs_unknown)));
  EXPECT_TRUE(is_complete(machine, "0000:03:00.0"));
}

TEST(ReachSet, HasThePhysicalFunctionOfAVirtualOne) {
  const Machine machine = a_machine().with(a_root_port("0000:00:02.0")
                                               .with(acs_redirect, an_endpoint("0000:03:00.0").with(bar(0, 4_KiB)),
                                                     a_virtual_function("0000:03:00.1", "0000:03:00.0").with(bar(0, 4_KiB))));
  EXPECT_THAT(reach(machine, "0000:03:00.1"), ElementsAre("0000:03:00.0"));
}

// Nested: the outer port decides about what is beyond it, the inner port about its siblings.
Machine nested(const Change& inner, const Change& outer) {
  return a_machine().with(
      a_root_port("0000:00:02.0")
          .with(acs_redirect,
                a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0")
                              .with(outer, a_switch("0000:05:00.0")
                                               .with(a_port("0000:06:00.0").with(inner, an_initiator()),
                                                     a_port("0000:06:01.0").with(acs_redirect, a_neighbour()))),
                          a_port("0000:02:01.0").with(acs_redirect, an_endpoint("0000:08:00.0").with(bar(0, 4_KiB))))));
}

TEST(ReachSet, IsJudgedAnewAtEverySwitchOnTheWay) {
  EXPECT_THAT(reach(nested(acs_redirect, acs_redirect), "0000:03:00.0"), IsEmpty());
  EXPECT_THAT(reach(nested(acs_clear, acs_redirect), "0000:03:00.0"), ElementsAre("0000:04:00.0"));
  EXPECT_THAT(reach(nested(acs_redirect, acs(upstream_forwarding)), "0000:03:00.0"), ElementsAre("0000:08:00.0"));
}

TEST(ReachSet, LeadsBackDownWhereAPortDoesNotForwardWhatWasRedirected) {
  EXPECT_THAT(reach(nested(acs_redirect, acs(request_redirect)), "0000:03:00.0"), ElementsAre("0000:04:00.0"));
  EXPECT_THAT(reach(nested(acs_redirect, acs(request_redirect | upstream_forwarding)), "0000:03:00.0"), IsEmpty());
}

TEST(ReachSet, HasEverythingBehindAConventionalBridge) {
  const Machine machine = a_machine().with(
      a_root_port("0000:00:02.0")
          .with(acs_redirect,
                a_pci_bridge("0000:01:00.0")
                    .with(bar(0, 4_KiB), a_conventional_device("0000:02:01.0").with(bar(0, 4_KiB)),
                          a_conventional_device("0000:02:02.0").with(acs_redirect, bar(0, 4_KiB)),
                          a_pci_bridge("0000:02:03.0").with(a_conventional_device("0000:03:00.0").with(bar(0, 4_KiB))))));
  EXPECT_THAT(reach(machine, "0000:02:01.0"), ElementsAre("0000:01:00.0", "0000:02:02.0", "0000:03:00.0"));
  EXPECT_TRUE(is_complete(machine, "0000:02:01.0"));
}

TEST(ReachSet, OfARootBusFunctionHasItsOwnDeviceOnly) {
  const Machine machine =
      a_machine().with(an_endpoint("0000:00:1f.0").with(bar(0, 4_KiB)), an_endpoint("0000:00:1f.3").with(bar(0, 4_KiB)),
                       an_endpoint("0000:00:14.0").with(bar(0, 4_KiB)));
  EXPECT_THAT(reach(machine, "0000:00:1f.0"), ElementsAre("0000:00:1f.3"));
}

TEST(ReachSet, PassesARedirectWithTranslatedRequestsWherePortsSendThemDirectly) {
  const auto with_ats = [](std::uint16_t control) {
    auto functions = a_switch_with(acs(control)).functions();
    for (auto& function : functions)
      if (function.address == at("0000:03:00.0")) function.ats_enabled = true;
    return Machine({}, functions);
  };
  EXPECT_THAT(reach(with_ats(linux_default), "0000:03:00.0"), IsEmpty());
  EXPECT_THAT(reach(with_ats(linux_default | Acs::direct_translated), "0000:03:00.0"), Contains("0000:04:00.0"));
  EXPECT_THAT(reach(with_ats(linux_default | Acs::direct_translated | Acs::translation_blocking), "0000:03:00.0"), IsEmpty());
}

TEST(ReachSet, IsNotCompleteWhereTranslatedRequestsWouldPassAndAtsIsNotKnown) {
  const auto with = [](std::uint16_t control, const Change& change) {
    auto functions = a_switch_with(acs(control)).functions();
    for (auto& function : functions)
      if (function.address == at("0000:03:00.0")) change(function);
    return Machine({}, functions);
  };
  const auto unread = [](Function& function) { function.ats_enabled.reset(); };
  const auto off_until_lent = [](Function& function) { function.has_ats = true, function.iommu_type = "identity"; };
  const auto off = [](Function& function) { function.has_ats = true, function.iommu_type = "DMA"; };
  constexpr std::uint16_t direct = linux_default | Acs::direct_translated;
  for (const Change& change : {Change(unread), Change(off_until_lent)}) {
    EXPECT_FALSE(is_complete(with(direct, change), "0000:03:00.0"));
    EXPECT_THAT(reach(with(direct, change), "0000:03:00.0"), Contains("0000:04:00.0"));
    EXPECT_TRUE(is_complete(with(linux_default, change), "0000:03:00.0"));
    EXPECT_TRUE(is_complete(with(direct | Acs::translation_blocking, change), "0000:03:00.0"));
  }
  EXPECT_TRUE(is_complete(with(direct, off), "0000:03:00.0"));
  EXPECT_THAT(reach(with(direct, off), "0000:03:00.0"), IsEmpty());
}

TEST(ReachSet, HasThePortsThemselvesWhereEnhancedAcsLeavesTheirMemoryOpen) {
  constexpr std::uint16_t enhanced = 0xff;
  EXPECT_THAT(reach(a_switch_with(acs(linux_default, enhanced)), "0000:03:00.0"), ElementsAre("0000:01:00.0", "0000:02:00.0"));
  EXPECT_THAT(reach(a_switch_with(acs(linux_default | 0x0200, enhanced)), "0000:03:00.0"), ElementsAre("0000:01:00.0"));
  EXPECT_THAT(reach(a_switch_with(acs(linux_default | 0x0a00, enhanced)), "0000:03:00.0"), IsEmpty());
}

TEST(ReachSet, IsNotCompleteBelowABridgeOfAnUnknownKind) {
  const auto machine = [](PortType type) -> Machine {
    return a_machine().with(a_bridge("0000:00:02.0", type, "pcieport").with(acs_redirect, an_initiator()));
  };
  EXPECT_FALSE(is_complete(machine(PortType::unknown), "0000:03:00.0"));
  EXPECT_TRUE(is_complete(machine(PortType::root_port), "0000:03:00.0"));
}

}  // namespace

}  // namespace p2pd::test
