// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every refusal of a request is one line in the journal, and no more of them than an administrator can read.
#include <algorithm>
#include <sstream>

#include "harness/scene.h"

namespace p2pd::test {
namespace {

class RefusalLines : public Scene {
 protected:
  void SetUp() override { set_up_the_usual_pair(); }

  // What has been written since the last look.
  std::vector<std::string> lines() {
    std::vector<std::string> found;
    std::istringstream log(daemon->log());
    for (std::string line; std::getline(log, line);)
      if (const auto begin = line.find("refused "); begin != std::string::npos && line.find(": refused ") != std::string::npos)
        found.push_back(line.substr(begin));
    found.erase(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(seen_));
    seen_ += found.size();
    return found;
  }
  void expect_one_line(const std::vector<std::string>& parts) {
    const auto written = lines();
    ASSERT_EQ(written.size(), 1) << testing::PrintToString(written);
    for (const auto& part : parts) EXPECT_NE(written[0].find(part), std::string::npos) << part << " is not in: " << written[0];
  }

 private:
  std::size_t seen_ = 0;
};

TEST_F(RefusalLines, SayWhatTheArbiterRefused) {
  const Lease lease;
  EXPECT_EQ(alice.acquire(disk, lease).error, "NotOffered");
  expect_one_line({"Acquire", std::string("initiator ") + disk, "uid 33", "offer"});
}

TEST_F(RefusalLines, SayWhatPolkitRefused) {
  Client carol(bus, carol_uid);
  const Lease lease;
  EXPECT_EQ(carol.acquire(initiator, lease).error, "NotPermitted");
  expect_one_line({"Acquire", std::string("initiator ") + initiator, "uid 38", "org.p2pd1.acquire is not granted"});
}

TEST_F(RefusalLines, SayWhatTheKernelRefused) {
  daemon->refuse("open");
  const Lease lease;
  EXPECT_EQ(alice.acquire(initiator, lease).error, "Failed");
  expect_one_line({"Acquire", std::string("initiator ") + initiator, "uid 33", "Input/output error"});
}

TEST_F(RefusalLines, NameTargetAndInitiatorOfAMapping) {
  const auto held = acquire(alice, initiator);
  EXPECT_EQ(alice.map(held.path, switched_target_bar).error, "NotEnabled");
  expect_one_line({"Map", std::string("initiator ") + initiator, std::string("target ") + switched_target_bar, "uid 33"});
}

TEST_F(RefusalLines, NameTheGrantThatIsAnothers) {
  const auto held = acquire(alice, initiator);
  EXPECT_EQ(bob.release(held.path).error, "NotPermitted");
  expect_one_line({"Release " + held.path.substr(std::string("/org/p2pd1/").size()), "uid 34"});
}

TEST_F(RefusalLines, NameTheFunctionOfAnotherDriver) {
  EXPECT_EQ(alice.bind(disk).error, "NotPermitted");
  expect_one_line({std::string("Bind ") + disk, "uid 33"});
}

TEST_F(RefusalLines, SayWhoSentWhatIsNoRequest) {
  EXPECT_EQ(alice.acquire("nonsense", Lease{}).error, "InvalidArgument");
  expect_one_line({"Acquire", "uid not known", "asked by :1.", "`nonsense` is not a PCI address"});
}

TEST_F(RefusalLines, AreFewWhateverOneClientSends) {
  constexpr std::size_t many = 300;
  for (std::size_t count = 0; count < many; ++count) EXPECT_EQ(alice.acquire("nonsense", Lease{}).error, "InvalidArgument");
  EXPECT_LT(lines().size(), 50);
  EXPECT_EQ(bob.acquire("nonsense", Lease{}).error, "InvalidArgument");
  expect_one_line({"asked by :1."});
}

}  // namespace
}  // namespace p2pd::test
