// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client_fixtures.h"

namespace p2pclient::test {
namespace {

using nlohmann::json;

json only_function(const Device& device) { return json::parse(cli::functions_json({device})).at("functions").at(0); }

TEST(ClientJson, SaysItsSchemaInEveryDocument) {
  for (const auto& text :
       {cli::functions_json({}), cli::tree_json({}), cli::matrix_json({}), cli::verdict_json({}), cli::grants_json({}, {}),
        cli::version_json("1", std::nullopt), cli::done_json("enabled", "x"), cli::diagnosis_json({})})
    EXPECT_EQ(json::parse(text).at("schema"), "p2p-client/1") << text;
}

TEST(ClientJson, WritesIdsAsLspciAndRegistersWithPrefix) {
  auto device = a_function("0000:03:00.0");
  device.revision = 1;
  device.acs = {"present", 0x5f, 0x1d};
  const auto function = only_function(device);
  EXPECT_EQ(function.at("vendor"), "1af4");
  EXPECT_EQ(function.at("device"), "0042");
  EXPECT_EQ(function.at("class"), "0x058000");
  EXPECT_EQ(function.at("revision"), "01");
  EXPECT_EQ(function.at("acs"), json({{"state", "present"}, {"capability", "0x5f"}, {"control", "0x1d"}}));
}

TEST(ClientJson, WritesWhatIsNotKnownAsNull) {
  const auto function = only_function(Device{});
  for (const auto* key : {"vendor_name", "driver", "numa_node", "iommu_group", "parent", "physical_function", "port_type", "link",
                          "memory_decode", "bus_master", "ats_enabled", "power_state", "offer_group", "max_payload"})
    EXPECT_TRUE(function.at(key).is_null()) << key;
  EXPECT_EQ(function.at("acs"), json({{"state", nullptr}, {"capability", nullptr}, {"control", nullptr}}));
}

TEST(ClientJson, DoesNotConfuseZeroWithUnknown) {
  auto device = a_function("0000:03:00.0");
  device.numa_node = 0;
  device.iommu_group = 0;
  device.bus_master = false;
  const auto function = only_function(device);
  EXPECT_EQ(function.at("numa_node"), 0);
  EXPECT_EQ(function.at("iommu_group"), 0);
  EXPECT_EQ(function.at("bus_master"), false);
}

TEST(ClientJson, WritesBarsWithAddressesInHexAndSizesInBytes) {
  auto device = a_function("0000:03:00.0");
  device.bars = {a_memory_bar(2, 1 << 20, 0xfe000000)};
  device.bars[0].cpu_address = CpuAddress{0x38000000000};
  device.bars[0].target = "enabled";
  EXPECT_EQ(only_function(device).at("bars"),
            json::parse(R"([{"index": 2, "cpu_address": "0x38000000000", "bus_address": "0xfe000000",
    "size": 1048576, "is_memory": true, "is_64bit": true, "is_prefetchable": false, "is_assigned": true, "target": "enabled"}])"));
}

TEST(ClientJson, HasNoTargetAtABarThatIsNotEnabled) {
  auto device = a_function("0000:03:00.0");
  device.bars = {a_memory_bar(0, 4096, 0)};
  EXPECT_TRUE(only_function(device).at("bars").at(0).at("target").is_null());
}

TEST(ClientJson, SurvivesNamesThatAreNotUtf8) {
  auto device = a_function("0000:03:00.0");
  device.vendor_name = "caf\xe9";
  EXPECT_EQ(only_function(device).at("vendor_name"), "caf\xef\xbf\xbd");
}

TEST(ClientJson, NestsTheTreeByBridges) {
  const auto tree = json::parse(cli::tree_json({a_bridge("0000:00:01.0"), a_function("0000:01:00.0", "0000:00:01.0")}));
  ASSERT_EQ(tree.at("roots").size(), 1U);
  EXPECT_EQ(tree.at("roots").at(0).at("children").at(0).at("address"), "0000:01:00.0");
}

TEST(ClientJson, WritesAVerdictAsTheManualSays) {
  Verdict verdict;
  verdict.initiator = "0000:03:00.0";
  verdict.target = "0000:04:00.0:2";
  verdict.bar = 2;
  verdict.answer = Answer::no;
  verdict.possible = Answer::yes;
  verdict.route = "root-complex";
  verdict.kernel = {false, "through-host-bridge", 6};
  verdict.blockers = {a_blocker("target-not-enabled", "setup")};
  verdict.writes = Answer::yes;
  verdict.reads = Answer::no;
  verdict.remedies = {"do this"};
  verdict.notes = {"a note"};
  EXPECT_EQ(json::parse(cli::verdict_json(verdict)), json::parse(R"({"schema": "p2p-client/1", "initiator": "0000:03:00.0",
    "target": "0000:04:00.0:2", "bar": 2, "answer": "no", "possible": "yes", "route": "root-complex", "evidence": "rules",
    "decided_by": "route", "writes": "yes", "reads": "no", "translated": "unknown",
    "kernel": {"present": false, "map_type": "through-host-bridge", "distance": 6},
    "blockers": [{"code": "target-not-enabled", "severity": "setup", "certain": true, "where": "0000:00:02.0", "observed": "seen",
                  "needed": "wanted", "remedy": "do this", "isolation": null}],
    "remedies": ["do this"], "notes": ["a note"]})"));
}

TEST(ClientJson, WritesAMatrixByRowsOfItsLegend) {
  const Matrix matrix{{"a", "b"}, {"x", "y"}, {0, 1, 1, 0}, {{true, {}, {}, ""}, {false, Answer::yes, Answer::no, "switch"}}};
  const auto written = json::parse(cli::matrix_json(matrix));
  EXPECT_EQ(written.at("cells"), json::parse("[[0, 1], [1, 0]]"));
  EXPECT_EQ(written.at("legend").at(0).at("route"), "same");
  EXPECT_EQ(written.at("legend").at(1), json::parse(R"({"possible": "yes", "answer": "no", "route": "switch"})"));
}

TEST(ClientJson, HidesTheOwnerWhomP2pdDoesNotShow) {
  HoldingInfo holding;
  holding.path = "/org/p2pd1/holding/1";
  MappingInfo memory;
  memory.holding = holding.path;
  memory.cookie = Iova{0x1000};
  const auto grants = json::parse(cli::grants_json({holding}, {memory}));
  EXPECT_TRUE(grants.at("holdings").at(0).at("owner_uid").is_null());
  EXPECT_TRUE(grants.at("mappings").at(0).at("target").is_null());
  EXPECT_EQ(grants.at("mappings").at(0).at("cookie"), "0x1000");
}

TEST(ClientJson, GivesADmaBufNoHoldingAndNoCookie) {
  MappingInfo dma_buf;
  dma_buf.kind = "dma-buf";
  dma_buf.target = "0000:04:00.0:2";
  const auto grants = json::parse(cli::grants_json({}, {dma_buf}));
  EXPECT_TRUE(grants.at("mappings").at(0).at("holding").is_null());
  EXPECT_TRUE(grants.at("mappings").at(0).at("cookie").is_null());
  EXPECT_EQ(grants.at("mappings").at(0).at("kind"), "dma-buf");
}

}  // namespace
}  // namespace p2pclient::test
