// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sources/names.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace p2pd::test {
namespace {

// Ids that no real list has: udev's hardware database, which libpci asks too, cannot answer for ours.
class Names : public testing::Test {
 protected:
  ~Names() override { std::filesystem::remove(file_); }

  Function name(const std::string& list) {
    std::ofstream(file_) << list;
    std::array<Function, 1> functions;
    functions[0].vendor = 0xfff0;
    functions[0].device = 0x0001;
    functions[0].class_code = 0xee0100;
    name_functions(functions, file_.c_str());
    return functions[0];
  }

  std::filesystem::path file_ = std::filesystem::path(testing::TempDir()) / ("p2pd-names-" + std::to_string(getpid()));
};

TEST_F(Names, ComeFromTheList) {
  const auto function = name("fff0  A vendor\n\t0001  A device\nC ee  A class\n\t01  A subclass\n");
  EXPECT_EQ(function.vendor_name, "A vendor");
  EXPECT_EQ(function.device_name, "A device");
  EXPECT_EQ(function.class_name, "A subclass");
}

TEST_F(Names, AreEmptyForWhatTheListDoesNotKnow) {
  const auto function = name("fff1  Another vendor\n");
  EXPECT_EQ(function.vendor_name, "");
  EXPECT_EQ(function.device_name, "");
}

// libpci ends the process here when its error callback returns or is not set.
TEST_F(Names, SurviveABrokenList) {
  const auto function = name("fff0  A vendor\n\t\tnonsense\n\x01\x02\n");
  EXPECT_EQ(function.device_name, "");
}

TEST_F(Names, SurviveAMissingList) {
  std::array<Function, 1> functions;
  functions[0].vendor = 0xfff0;
  name_functions(functions, "/nonexistent/pci.ids");
  EXPECT_EQ(functions[0].vendor_name, "");
}

}  // namespace
}  // namespace p2pd::test
