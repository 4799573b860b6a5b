// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/json.h"
#include "cli/text.h"
#include "client_fixtures.h"

namespace p2pclient::test {
namespace {

using cli::Diagnosis;
using cli::Patient;
using testing::HasSubstr;
using State = cli::Diagnosis::State;

// A machine where an operator has made one pair ready.
Patient a_healthy_one() {
  auto initiator = a_function("0000:03:00.0");
  initiator.driver = "vfio-pci";
  initiator.iommu_group = 1;
  initiator.is_offered = true;
  auto target = a_function("0000:04:00.0");
  target.driver = "vfio-pci";
  target.iommu_group = 2;
  target.targets = {{"0000:04:00.0:2", true, "", "enabled"}};
  Patient patient;
  patient.client_version = patient.daemon.version = "1.2.3";
  patient.daemon.backends = {"iommufd", "vfio-type1"};
  patient.daemon.virtualization = "none";
  patient.daemon.kernel_rule = "7.3";
  patient.devices = {a_bridge("0000:00:02.0"), initiator, target};
  patient.pairs = {{"0000:03:00.0"}, {"0000:04:00.0:2"}, {0}, {{false, Answer::yes, Answer::yes, "switch"}}};
  return patient;
}

// What is not ok; each test below makes one thing wrong.
std::vector<Diagnosis> complaints(const Patient& patient) {
  auto found = cli::diagnose(patient);
  found.erase(std::remove_if(found.begin(), found.end(), [](const auto& one) { return one.state == State::ok; }), found.end());
  return found;
}

void expect_only(const Patient& patient, State state, const std::string& subject, const std::string& found,
                 const std::string& next) {
  const auto all = complaints(patient);
  ASSERT_EQ(all.size(), 1U) << cli::diagnosis_text(all);
  EXPECT_EQ(all[0].state, state);
  EXPECT_EQ(all[0].subject, subject);
  EXPECT_THAT(all[0].found, HasSubstr(found));
  EXPECT_THAT(all[0].next, HasSubstr(next));
  EXPECT_EQ(cli::is_healthy(all), state == State::note);
}

TEST(Diagnosis, HasNothingAgainstAMachineThatIsReady) {
  EXPECT_EQ(cli::diagnosis_text(complaints(a_healthy_one())), "");
  EXPECT_TRUE(cli::is_healthy(cli::diagnose(a_healthy_one())));
}

TEST(Diagnosis, NamesWhatP2pdSaysItself) {
  auto patient = a_healthy_one();
  patient.daemon.problems = {"platform.d/x.toml line 3: nonsense"};
  expect_only(patient, State::problem, "p2pd", "line 3: nonsense", "");
}

TEST(Diagnosis, NamesWhatTheMachineLacks) {
  auto patient = a_healthy_one();
  patient.daemon.version = "1.2.2";
  expect_only(patient, State::note, "p2pd", "1.2.2, and p2p-client is 1.2.3", "systemctl restart");

  patient = a_healthy_one();
  patient.daemon.backends = {};
  expect_only(patient, State::problem, "back ends", "nothing can be mapped", "modprobe vfio-pci");
  patient.daemon.backends = {"vfio-type1"};
  expect_only(patient, State::note, "back ends", "vfio-type1; no iommufd", "CONFIG_VFIO_PCI_DMABUF");

  patient = a_healthy_one();
  patient.daemon.virtualization = "kvm";
  expect_only(patient, State::note, "virtualization", "kvm", "p2p-client export");

  patient = a_healthy_one();
  patient.daemon.kernel_rule = "absent";
  expect_only(patient, State::note, "kernel rule", "no p2pdma", "CONFIG_PCI_P2PDMA");

  patient = a_healthy_one();
  patient.devices[2].iommu_group.reset();
  expect_only(patient, State::note, "IOMMU", "1 of 2 functions", "IOMMU on");
  patient.devices[1].iommu_group.reset();
  expect_only(patient, State::problem, "IOMMU", "2 of 2 functions", "IOMMU on");
}

TEST(Diagnosis, NamesWhatOperatorsHaveNotDone) {
  auto patient = a_healthy_one();
  patient.devices[1].is_offered = false;
  patient.pairs = {};
  expect_only(patient, State::note, "initiators", "none is offered", "p2p-client offer");

  patient = a_healthy_one();
  patient.devices[1].driver = "nvme";
  expect_only(patient, State::problem, "initiators", "its driver is nvme", "p2p-client bind 0000:03:00.0");

  patient = a_healthy_one();
  patient.devices[2].targets[0].state = "disabling";
  patient.pairs = {};
  expect_only(patient, State::note, "targets", "none is enabled", "p2p-client enable");
}

TEST(Diagnosis, NamesPairsThatDoNotReach) {
  auto patient = a_healthy_one();
  patient.pairs = {{"0000:03:00.0"},
                   {"0000:04:00.0:2", "0000:04:00.0:4", "0000:03:00.0:0"},
                   {0, 1, 2},
                   {{false, Answer::yes, Answer::yes, "switch"},
                    {false, Answer::unknown, Answer::unknown, "root-complex"},
                    {true, Answer::no, Answer::no, "local"}}};
  expect_only(patient, State::note, "pairs", "0000:03:00.0 to 0000:04:00.0:4: unknown",
              "p2p-client explain 0000:03:00.0 0000:04:00.0:4");
  EXPECT_THAT(cli::diagnosis_text(cli::diagnose(patient)), HasSubstr("1 of 2 reach their target"));

  patient.pairs.cells = {1, 1, 2};
  EXPECT_FALSE(cli::is_healthy(cli::diagnose(patient))) << "nothing works";
}

TEST(Diagnosis, DoesNotDrownPeopleInPairs) {
  auto patient = a_healthy_one();
  patient.pairs = {{"0000:03:00.0"}, {}, {}, {{false, Answer::no, Answer::no, "none"}}};
  for (int bar = 0; bar < 20; ++bar) {
    patient.pairs.targets.push_back("0000:04:00.0:" + std::to_string(bar));
    patient.pairs.cells.push_back(0);
  }
  const auto all = complaints(patient);
  EXPECT_EQ(all.size(), 10U) << "how many, eight of them, and the rest";
  EXPECT_EQ(all.back().found, "12 more that do not");
}

TEST(Diagnosis, IsTheSameInJson) {
  auto patient = a_healthy_one();
  patient.daemon.backends = {};
  const auto document = nlohmann::json::parse(cli::diagnosis_json(complaints(patient)));
  EXPECT_EQ(document.at("healthy"), false);
  EXPECT_EQ(document.at("findings"), nlohmann::json::parse(R"([{"subject": "back ends", "state": "problem",
      "found": "none: nothing can be mapped", "next": "modprobe vfio-pci"}])"));
}

}  // namespace
}  // namespace p2pclient::test
