// SPDX-License-Identifier: LGPL-2.1-or-later
#include "platform/peers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "builders.h"

namespace p2pd::test {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

Function a_card(std::string_view address, std::uint16_t vendor, std::uint16_t device) {
  auto node = an_endpoint(address).with(ids(vendor, device));
  node.function().subsystem_vendor = 0x1af4;
  node.function().subsystem_device = 0x1100;
  return node.function();
}

const Function gpu = a_card("0000:01:00.0", 0x10de, 0x2330);
const Function nic = a_card("0000:02:00.0", 0x15b3, 0x1021);
const Function disk = a_card("0001:02:00.0", 0x144d, 0xa824);

const std::string functions_text =
    "peers_format = 1\n"
    "[[function]]\naddress = \"0000:01:00.0\"\nid = \"10de:2330\"\nsubsystem = \"1af4:1100\"\n"
    "[[function]]\naddress = \"0000:02:00.0\"\nid = \"15b3:1021\"\nsubsystem = \"1af4:1100\"\n";
const std::string there = "[[reach]]\nfrom = \"0000:01:00.0\"\nto = \"0000:02:00.0\"\nwrites = \"yes\"\nreads = \"unknown\"\n";
const std::string back = "[[reach]]\nfrom = \"0000:02:00.0\"\nto = \"0000:01:00.0\"\nwrites = \"yes\"\nreads = \"no\"\n";

PeersTable table_of(std::vector<Function> functions, Reach reach, std::string source = "peers.toml") {
  PeersTable table{.source = std::move(source), .peers = {}, .reach = {}};
  for (const auto& function : functions) table.peers.push_back(Peer::of(function));
  table.reach.resize(functions.size() * functions.size());
  for (std::size_t from = 0; from < functions.size(); ++from)
    for (std::size_t to = 0; to < functions.size(); ++to)
      if (from != to) table.reach[from * functions.size() + to] = reach;
  return table;
}

constexpr Reach both{.writes = Tristate::yes, .reads = Tristate::yes};
constexpr Reach neither{.writes = Tristate::no, .reads = Tristate::no};
constexpr Reach not_known{};

TEST(PeersTable, DescribesEachDirectionOfAPair) {
  const auto table = parse_peers(functions_text + there + back, "peers.toml");
  ASSERT_TRUE(table) << table.error().text;
  const auto forth = describe({*table}, gpu, nic);
  ASSERT_TRUE(forth);
  EXPECT_EQ(forth->reach.writes, Tristate::yes);
  EXPECT_EQ(forth->reach.reads, Tristate::unknown);
  EXPECT_EQ(forth->source, "peers.toml");
  EXPECT_THAT(forth->notes, IsEmpty());
  EXPECT_EQ(describe({*table}, nic, gpu)->reach.reads, Tristate::no);
  EXPECT_FALSE(describe({*table}, gpu, disk));
  EXPECT_FALSE(describe({*table}, gpu, gpu));
}

TEST(PeersTable, IsNotInheritedByAnotherCard) {
  const auto table = table_of({gpu, nic}, both);
  ASSERT_TRUE(describe({table}, gpu, nic));
  for (const auto change :
       {+[](Function& card) { card.vendor ^= 1; }, +[](Function& card) { card.device ^= 1; },
        +[](Function& card) { card.subsystem_vendor ^= 1; }, +[](Function& card) { card.subsystem_device ^= 1; },
        +[](Function& card) { card.address.domain = 1; }}) {
    auto other = nic;
    change(other);
    EXPECT_FALSE(describe({table}, gpu, other));
    EXPECT_FALSE(describe({table}, other, gpu));
  }
}

TEST(PeersTable, NamesFileLineAndReasonOfAnError) {
  const std::string good = functions_text + there + back;
  const auto changed = [&](std::string_view what, std::string_view into) {
    auto text = good;
    const auto place = text.find(what);
    EXPECT_NE(place, std::string::npos) << what;
    return text.replace(place, what.size(), into);
  };
  const struct {
    std::string text;
    const char* place;
    const char* reason;
  } broken[] = {
      {"", "f:", "'peers_format' is missing"},
      {changed("peers_format = 1", "peers_format = 2"), "f:1:", "format 2 is not known"},
      {changed("peers_format = 1", "peers_format = \"1\""), "f:1:", "whole number"},
      {changed("[[function]]", "[function]"), "f:", ""},
      {changed("[[function]]", "[[functions]]"), "f:2:", "unknown key 'functions'"},
      {changed("0000:01:00.0", "01:00.0"), "f:3:", "must be an address"},
      {changed("0000:01:00.0", "0000:02:00.0"), "f:7:", "there already"},
      {changed("10de:2330", "10de"), "f:4:", "two ids"},
      {changed("10de:2330", "10de:233"), "f:4:", "two ids"},
      {changed("10de:2330", "10DE:2330"), "f:4:", "two ids"},
      {changed("subsystem", "subsytem"), "f:", "subs"},
      {changed("from = \"0000:01:00.0\"", "from = \"0000:03:00.0\""), "f:11:", "no [[function]]"},
      {changed("from = \"0000:01:00.0\"", "from = \"0000:02:00.0\""), "f:12:", "one function"},
      {changed("writes = \"yes\"", "writes = true"), "f:13:", "must be a text"},
      {changed("reads = \"no\"", "reads = \"never\""), "f:19:", "\"yes\", \"no\" or \"unknown\""},
      {functions_text + there, "f:", "2 pairs of 2 functions must each be there once, 1 are"},
      {functions_text + there + there, "f:", "there already"},
      {functions_text + there + back + there, "f:", "there already"},
      {good + "more = 1\n", "f:20:", "unknown key 'more'"},
  };
  for (const auto& [text, place, reason] : broken) {
    const auto table = parse_peers(text, "f");
    ASSERT_FALSE(table) << text;
    EXPECT_THAT(table.error().text, StartsWith(place)) << text;
    EXPECT_THAT(table.error().text, HasSubstr(reason)) << text;
  }
}

TEST(PeersTable, HasAnEnd) {
  std::string text = "peers_format = 1\n";
  for (unsigned bus = 0; bus <= most_peers; ++bus)
    text += fmt::format("[[function]]\naddress = \"0000:{:02x}:00.0\"\nid = \"1234:0001\"\nsubsystem = \"0000:0000\"\n", bus);
  EXPECT_THAT(parse_peers(text, "f").error().text, HasSubstr("more than 64 functions"));
}

TEST(PeersTable, ReadsWhatItWrites) {
  auto table = table_of({gpu, nic, disk}, both);
  table.reach[1] = neither;
  table.reach[5] = not_known;
  EXPECT_EQ(parse_peers(write_peers(table), "peers.toml"), table);
}

TEST(Description, OfSeveralSourcesTheMoreCarefulCounts) {
  const auto operators = table_of({gpu, nic}, both, "peers.toml");
  const auto hypervisors = table_of({gpu, nic}, {.writes = Tristate::yes, .reads = Tristate::no}, "raw");
  for (const auto& tables : {std::vector{operators, hypervisors}, std::vector{hypervisors, operators}}) {
    const auto description = describe(tables, gpu, nic);
    ASSERT_TRUE(description);
    EXPECT_EQ(description->reach, (Reach{.writes = Tristate::yes, .reads = Tristate::no}));
    EXPECT_EQ(description->source, "raw");
    EXPECT_THAT(description->notes, ElementsAre(HasSubstr("descriptions-differ: peers.toml says writes yes, reads yes")));
  }
  const auto unknown = describe({operators, table_of({gpu, nic}, not_known, "raw")}, gpu, nic);
  EXPECT_EQ(unknown->reach, not_known);
  const auto no = describe({table_of({gpu, nic}, not_known, "raw"), table_of({gpu, nic}, neither, "f")}, gpu, nic);
  EXPECT_EQ(no->reach, neither);
}

// ---- NVIDIA's cliques

Function in_clique(Function function, std::uint8_t clique) {
  function.clique = clique;
  return function;
}

TEST(Clique, DescribesFunctionsOfNvidiaOnly) {
  const auto other_gpu = a_card("0000:03:00.0", 0x10de, 0x2330);
  const auto one = describe({}, in_clique(gpu, 3), in_clique(other_gpu, 3));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->reach, both);
  EXPECT_EQ(one->source, "NVIDIA P2P clique 3");
  EXPECT_FALSE(describe({}, in_clique(gpu, 3), other_gpu));
  EXPECT_FALSE(describe({}, in_clique(gpu, 3), in_clique(nic, 3)));
}

TEST(Clique, SaysNothingGoodOfAnother) {
  const auto other_gpu = a_card("0000:03:00.0", 0x10de, 0x2330);
  const auto description = describe({table_of({gpu, other_gpu}, both)}, in_clique(gpu, 0), in_clique(other_gpu, 1));
  ASSERT_TRUE(description);
  EXPECT_EQ(description->reach, not_known);
  EXPECT_EQ(description->source, "NVIDIA P2P cliques 0 and 1");
  EXPECT_EQ(description->notes.size(), 1U);
}

// ---- what is broken describes nothing new

// Every description that a text gives of these functions, and of such as are there only by mistake.
std::vector<std::optional<Description>> all_descriptions(const std::string& text, const std::vector<Function>& functions) {
  std::vector<PeersTable> tables;
  if (auto table = parse_peers(text, "peers.toml")) tables.push_back(*std::move(table));
  std::vector<std::optional<Description>> found;
  for (const auto& from : functions)
    for (const auto& to : functions) found.push_back(describe(tables, from, to));
  return found;
}

// Twins of one card in every slot: a changed address finds one.
std::vector<Function> crowd() {
  std::vector<Function> functions;
  for (unsigned domain = 0; domain < 2; ++domain)
    for (unsigned bus = 0; bus < 8; ++bus)
      functions.push_back(a_card(fmt::format("{:04x}:{:02x}:00.0", domain, bus), 0x10de, 0x2330));
  return functions;
}

RC_GTEST_PROP(PeersTable, ThatIsCutOrChangedDescribesNothingThatTheWholeDoesNot, ()) {
  const auto functions = crowd();
  const auto count = *rc::gen::inRange<std::size_t>(2, 5);
  const auto first = *rc::gen::inRange<std::size_t>(0, functions.size() - 5);
  auto table = table_of(
      {functions.begin() + static_cast<std::ptrdiff_t>(first), functions.begin() + static_cast<std::ptrdiff_t>(first + count)},
      both);
  for (std::size_t i = 0; i < table.reach.size(); ++i)
    if (i % (count + 1) != 0) table.reach[i] = *rc::gen::element(both, neither, not_known, Reach{Tristate::yes, Tristate::no});
  const auto text = write_peers(table);
  const auto whole = all_descriptions(text, functions);

  auto changed = text;
  const auto place = *rc::gen::inRange<std::size_t>(0, text.size());
  if (*rc::gen::arbitrary<bool>())
    changed.resize(place);
  else
    changed[place] = static_cast<char>(*rc::gen::inRange(0, 256));
  const auto found = all_descriptions(changed, functions);
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i]) RC_ASSERT(found[i] == whole[i]);
}

TEST(PeersTable, CutAnywhereBeforeItsLastLineDescribesNothing) {
  const auto text = functions_text + there + back;
  ASSERT_TRUE(parse_peers(text, "f"));
  for (std::size_t length = 0; length + 2 < text.size(); ++length)
    for (const auto& found : all_descriptions(text.substr(0, length), {gpu, nic})) EXPECT_FALSE(found) << length;
}

}  // namespace

}  // namespace p2pd::test
