// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a verdict must never do, whatever the machine: become a yes because less is known, drop a reason because there is
// another, or name a remedy that is none.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "drawn_machine.h"
#include "topology/topology.h"
#include "verdict/judge.h"

namespace p2pd::test {

namespace {

struct Drawn {
  HostFacts host;
  std::vector<Function> functions;
  Address initiator;
  TargetName target;

  [[nodiscard]] Verdict judged() const { return judge({host, functions}, shipped_tables(), initiator, target); }
  [[nodiscard]] Function& function(const Address& address) {
    return *std::find_if(functions.begin(), functions.end(), [&](const Function& one) { return one.address == address; });
  }
};

// Beside its PF, which is another endpoint of the machine as well.
void add_virtual_function(std::vector<Function>& functions, const Address& physical) {
  const auto found =
      std::find_if(functions.begin(), functions.end(), [&](const Function& one) { return one.address == physical; });
  auto function = *found;
  function.address.device = 1;
  function.physical_function = physical;
  function.iommu_group = 99;
  for (auto& bar : function.bars) bar.bus_address = BusAddress{bar.bus_address->value + 512_KiB};
  found->virtual_functions = {function.address};
  found->has_vfs_enabled = true;
  functions.push_back(std::move(function));
}

Drawn draw(bool is_troubled) {
  auto machine = DrawnTree().machine();
  Drawn drawn{.host = machine.host(), .functions = machine.functions(), .initiator = {}, .target = {}};
  if (is_troubled) {
    draw_trouble(drawn.host, drawn.functions);
    add_virtual_function(drawn.functions, drawn_endpoint(machine).address);
    machine = Machine(drawn.host, drawn.functions);
  }
  drawn.initiator = drawn_endpoint(machine).address;
  drawn.target = {drawn_endpoint(machine).address, 0, {}, {}};
  return drawn;
}

void forget_acs(Function& function) { function.acs = {}; }
void forget_egress(Function& function) { function.acs.egress.clear(); }
void forget_port_number(Function& function) { function.port_number.reset(); }
void forget_ats(Function& function) { function.ats_enabled.reset(); }
void forget_iommu_type(Function& function) { function.iommu_type.reset(); }
void forget_requester(Function& function) { function.sends_ten_bit_tags.reset(); }
void forget_completer(Function& function) { function.completes_ten_bit_tags.reset(); }
void forget_payload(Function& function) { function.max_payload.reset(); }
void forget_command(Function& function) { function.memory_decode = function.bus_master = std::nullopt; }
void forget_type(Function& function) { function.port_type = PortType::unknown; }
void forget_parent(Function& function) { function.parent.reset(); }
void forget_group(Function& function) { function.iommu_group.reset(); }
void forget_driver(Function& function) { function.driver.clear(); }
void forget_capabilities(Function& function) {
  function.msix.reset();
  function.has_unread_capabilities = true;
}
void forget_regions(Function& function) {
  function.reserved_regions.clear();
  function.has_unread_regions = true;
}
void forget_no_iommu(Function& function) { function.is_without_iommu.reset(); }
void forget_link(Function& function) { function.link = {}; }
// As of a PF that is not in the picture (sources/dump.cpp).
void forget_physical_function(Function& function) {
  if (!function.physical_function) return;
  function.physical_function.reset();
  function.memory_decode.reset();
  function.max_payload.reset();
  function.sends_ten_bit_tags.reset();
}
// As of VFs that are not in the picture: the PF says that there are some.
void forget_virtual_functions(Function& function) { function.virtual_functions.clear(); }
void forget_windows(Function& function) {
  if (!function.bridge) return;
  function.bridge->memory.reset();
  function.bridge->prefetchable.reset();
}
void forget_sizes(Function& function) {
  for (auto& bar : function.bars) bar.size = {};
}
void forget_bus_addresses(Function& function) {
  for (auto& bar : function.bars) bar.bus_address.reset();
}

void forget_something(Drawn& drawn) {
  using Forget = void (*)(Function&);
  const auto forget =
      *rc::gen::element<Forget>(forget_acs, forget_egress, forget_port_number, forget_ats, forget_iommu_type, forget_requester,
                                forget_completer, forget_payload, forget_command, forget_type, forget_parent, forget_group,
                                forget_driver, forget_capabilities, forget_sizes, forget_bus_addresses, forget_regions,
                                forget_no_iommu, forget_link, forget_physical_function, forget_virtual_functions, forget_windows);
  forget(drawn.functions[*rc::gen::inRange<std::size_t>(0, drawn.functions.size())]);
}

void forget_something_of_the_host(HostFacts& host) {
  switch (*rc::gen::inRange(0, 7)) {
    case 0: host.virtualization = "unknown"; break;
    case 1: host.iommu = Tristate::unknown; break;
    case 2: host.vfio = Tristate::unknown; break;
    case 3: host.unsafe_interrupts = Tristate::unknown; break;
    case 4: host.cpu_vendor.clear(); break;
    case 5: host.memory_encryption = Tristate::unknown; break;
    default: host.kernel_release.clear(); break;
  }
}

RC_GTEST_PROP(Verdict, NeverBecomesAYesWhenLessIsKnown, ()) {
  auto drawn = draw(*rc::gen::arbitrary<bool>());
  const auto before = drawn.judged();
  if (*rc::gen::inRange(0, 5) == 0)
    forget_something_of_the_host(drawn.host);
  else
    forget_something(drawn);
  const auto after = drawn.judged();
  RC_CLASSIFY(before.possible != Answer::yes, "not possible before");
  RC_CLASSIFY(before.possible == Answer::yes && after.possible == Answer::unknown, "unknown now");
  if (before.possible != Answer::yes) RC_ASSERT(after.possible != Answer::yes);
  if (before.answer != Answer::yes) RC_ASSERT(after.answer != Answer::yes);
}

// That the property above has something to find: each of these matters in this machine, so that a rule which took it for
// granted would say yes.
TEST(Verdict, IsUnknownWhenAnyOfWhatItNeedsIsForgotten) {
  const Machine machine = a_machine().on(intel).with(
      a_root_port("0000:00:02.0")
          .with(a_switch("0000:01:00.0")
                    .with(a_port("0000:02:00.0").with(acs_clear, an_endpoint("0000:03:00.0")),
                          a_port("0000:02:01.0").with(acs_clear, an_endpoint("0000:04:00.0").with(bar(0, 4_KiB))))));
  const Drawn drawn{machine.host(), machine.functions(), at("0000:03:00.0"), target("0000:04:00.0:0")};
  ASSERT_EQ(drawn.judged().answer, Answer::yes);
  const auto answer_without = [&](std::string_view where, void (*forget)(Function&)) {
    auto less = drawn;
    forget(less.function(at(where)));
    return less.judged().answer;
  };
  EXPECT_EQ(answer_without("0000:02:00.0", forget_acs), Answer::unknown);
  EXPECT_EQ(answer_without("0000:02:01.0", forget_acs), Answer::unknown);
  EXPECT_EQ(answer_without("0000:03:00.0", forget_ats), Answer::unknown);
  EXPECT_EQ(answer_without("0000:02:01.0", forget_payload), Answer::unknown);
  EXPECT_EQ(answer_without("0000:02:00.0", forget_command), Answer::unknown);
  EXPECT_EQ(answer_without("0000:04:00.0", forget_command), Answer::unknown);
  EXPECT_EQ(answer_without("0000:02:00.0", forget_type), Answer::unknown);
  EXPECT_EQ(answer_without("0000:04:00.0", forget_capabilities), Answer::unknown);
  EXPECT_EQ(answer_without("0000:04:00.0", forget_sizes), Answer::unknown);
  EXPECT_EQ(answer_without("0000:04:00.0", forget_bus_addresses), Answer::unknown);
  EXPECT_EQ(answer_without("0000:03:00.0", forget_parent), Answer::unknown);
  EXPECT_EQ(answer_without("0000:03:00.0", forget_regions), Answer::unknown);
  EXPECT_EQ(answer_without("0000:04:00.0", forget_regions), Answer::unknown);
  EXPECT_EQ(answer_without("0000:03:00.0", forget_no_iommu), Answer::unknown);
  EXPECT_EQ(answer_without("0000:02:01.0", forget_windows), Answer::no);
}

TEST(Verdict, OfAVirtualFunctionIsUnknownWhenItsPhysicalOneIsForgotten) {
  const Machine machine =
      a_machine().with(a_root_port("0000:00:02.0")
                           .with(acs_redirect, an_endpoint("0000:03:00.0").with(driver("mlx5_core")),
                                 a_virtual_function("0000:03:00.1", "0000:03:00.0").with(bar(0, 4_KiB))),
                       a_root_port("0000:00:03.0").with(acs_redirect, an_endpoint("0000:04:00.0").with(bar(0, 4_KiB))));
  const auto answers_without = [&](void (*forget)(Function&), std::string_view where) {
    Drawn less{machine.host(), machine.functions(), at("0000:03:00.1"), target("0000:04:00.0:0")};
    if (forget != nullptr) forget(less.function(at(where)));
    const auto as_initiator = less.judged().answer;
    less.initiator = at("0000:04:00.0");
    less.target = target("0000:03:00.1:0");
    return std::pair{as_initiator, less.judged().answer};
  };
  EXPECT_EQ(answers_without(nullptr, ""), (std::pair{Answer::yes, Answer::yes}));
  EXPECT_EQ(answers_without(forget_physical_function, "0000:03:00.1"), (std::pair{Answer::unknown, Answer::unknown}));

  Drawn physical{machine.host(), machine.functions(), at("0000:03:00.0"), target("0000:04:00.0:0")};
  physical.function(at("0000:03:00.0")).driver = "vfio-pci";
  EXPECT_EQ(physical.judged().answer, Answer::no);
  forget_virtual_functions(physical.function(at("0000:03:00.0")));
  EXPECT_EQ(physical.judged().answer, Answer::no);
}

std::multiset<std::string> codes_of(const Verdict& verdict) {
  std::multiset<std::string> codes;
  for (const auto& blocker : verdict.blockers) codes.insert(blocker.code);
  return codes;
}

// Trouble that is a reason of its own, and leaves the route what it is.
void add_trouble(Drawn& drawn) {
  auto& initiator = drawn.function(drawn.initiator);
  auto& target = drawn.function(drawn.target.device);
  // The driver of a physical function is a reason against its virtual functions, too: another one takes that away.
  const bool are_family = initiator.physical_function == target.address || target.physical_function == initiator.address;
  switch (*rc::gen::inRange(are_family ? 2 : 0, 6)) {
    case 0: initiator.driver = "nvme"; break;
    case 1: target.driver = "nvme"; break;
    case 2: target.memory_decode = false; break;
    case 3: initiator.is_without_iommu = true; break;
    case 4: target.reserved_regions.push_back({{Iova{0}, Bytes{0x1000}}, "direct"}); break;
    default: drawn.host.unsafe_interrupts = Tristate::yes; break;
  }
}

RC_GTEST_PROP(Blockers, NeverGoBecauseThereIsAnother, ()) {
  auto drawn = draw(*rc::gen::arbitrary<bool>());
  const auto before = codes_of(drawn.judged());
  add_trouble(drawn);
  const auto after = codes_of(drawn.judged());
  RC_CLASSIFY(after.size() > before.size(), "one more");
  RC_ASSERT(std::includes(after.begin(), after.end(), before.begin(), before.end()));
}

// ---- a machine on which the remedies were carried out

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const auto end = std::min(text.find(separator, from), text.size());
    parts.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

// "0010001@0000:02:00.0", from the right: bit 0 and up. What is not said goes back to what firmware had set (pci.c
// __pci_config_acs()), which nobody knows here: so all must be said.
void configure_acs(Drawn& drawn, const std::string& item) {
  const auto flags = item.substr(0, item.find('@'));
  RC_ASSERT(flags.size() == 7U);
  RC_ASSERT(flags.find_first_not_of("01") == std::string::npos);
  auto& control = drawn.function(at(item.substr(flags.size() + 1))).acs.control;
  for (std::size_t bit = 0; bit < flags.size(); ++bit) {
    const auto mask = static_cast<std::uint16_t>(1U << bit);
    const char flag = flags[flags.size() - 1 - bit];
    if (flag == '1') control = static_cast<std::uint16_t>(control | mask);
    if (flag == '0') control = static_cast<std::uint16_t>(control & ~mask);
  }
}

void boot_with(Drawn& drawn, const std::string& argument) {
  constexpr std::string_view acs = "config_acs=";
  for (const auto& option : split(argument.substr(argument.find('=') + 1), ',')) {
    if (option == "noats")
      for (auto& function : drawn.functions) function.ats_enabled = false;
    else if (option == "pcie_bus_peer2peer")
      for (auto& function : drawn.functions) function.max_payload = 128;
    else if (option.starts_with(acs))
      for (const auto& item : split(option.substr(acs.size()), ';')) configure_acs(drawn, item);
    else
      RC_FAIL("an argument that nothing knows: " + option);
  }
}

void carry_out(Drawn& drawn, const std::string& remedy) {
  constexpr std::string_view bind = "p2p-client bind ";
  if (remedy.starts_with("pci=")) return boot_with(drawn, remedy);
  if (remedy == "modprobe vfio-pci") {
    drawn.host.vfio = Tristate::yes;
  } else if (remedy.starts_with("setpci -s ") && remedy.find(" COMMAND=0002") != std::string::npos) {
    drawn.function(at(split(remedy, ' ').at(2))).memory_decode = true;
  } else if (remedy.starts_with("setpci -s ") && remedy.find(" CAP_EXP+28.w=0000:1000") != std::string::npos) {
    drawn.function(at(split(remedy, ' ').at(2))).sends_ten_bit_tags = false;
  } else if (remedy.starts_with(bind)) {
    for (const auto& step : split(remedy, '&'))
      if (const auto found = step.find(bind); found != std::string::npos)
        drawn.function(at(step.substr(found + bind.size(), 12))).driver = "vfio-pci";
  } else if (remedy == "sudo lspci -xxxx") {
    RC_DISCARD("what reading more would show is not known");
  } else {
    RC_FAIL("a remedy that nothing knows: " + remedy + " for " + drawn.initiator.to_string() + " " + drawn.target.to_string());
  }
}

void is_a_way_to_yes(Drawn drawn, const Verdict& verdict) {
  for (const auto& remedy : verdict.remedies) carry_out(drawn, remedy);
  const auto after = drawn.judged();
  for (const auto& remedy : verdict.remedies) RC_LOG() << remedy << '\n';
  for (const auto& blocker : after.blockers) RC_LOG() << blocker.code << ": " << blocker.observed << '\n';
  RC_ASSERT(after.possible == Answer::yes);
  RC_ASSERT(after.answer == Answer::yes);
}

RC_GTEST_PROP(Remedies, MakeThePairWork, ()) {
  auto drawn = draw(false);
  drawn.host.virtualization = "none";
  for (auto& function : drawn.functions) {
    if (*rc::gen::inRange(0, 6) == 0) function.max_payload = 256;
    if (function.is_bridge()) continue;
    if (*rc::gen::inRange(0, 4) == 0) function.driver = "nvme";
    if (*rc::gen::inRange(0, 4) == 0) function.memory_decode = false;
    if (*rc::gen::inRange(0, 4) == 0) function.ats_enabled = true;
    if (*rc::gen::inRange(0, 4) == 0) function.sends_ten_bit_tags = true;
    if (*rc::gen::inRange(0, 4) == 0) function.completes_ten_bit_tags = false;
  }
  const auto verdict = drawn.judged();
  RC_CLASSIFY(!verdict.remedies.empty(), "with remedies");
  if (verdict.remedies.empty() ||
      std::find(verdict.remedies.begin(), verdict.remedies.end(), "sudo lspci -xxxx") != verdict.remedies.end())
    return;
  is_a_way_to_yes(drawn, verdict);
}

}  // namespace

}  // namespace p2pd::test
