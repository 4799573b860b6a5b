// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <gtest/gtest.h>

namespace p2pd::test {

namespace {

TEST(Config, IsTheDefaultsWithoutAFile) {
  const auto config = read_config("/nonexistent/p2pd.toml");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->virtualization, "auto");
  EXPECT_EQ(config->limits.holdings, Limits{}.holdings);
}

TEST(Config, ReadsEveryKey) {
  const auto config = parse_config(
      "[platform]\nvirtualization = \"none\"\n[limits]\nholdings = 1\nmappings = 2\nbytes = 4096\nrequests = 3\n", "p2pd.toml");
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->virtualization, "none");
  EXPECT_EQ(config->limits.holdings, 1U);
  EXPECT_EQ(config->limits.mappings, 2U);
  EXPECT_EQ(config->limits.bytes, Bytes{4096});
  EXPECT_EQ(config->limits.requests, 3U);
}

TEST(Config, NamesFileLineAndReasonOfAnError) {
  const struct {
    const char* text;
    const char* place;
    const char* reason;
  } broken[] = {
      {"[limits]\n\nholdngs = 1\n", "p2pd.toml:3:", "holdngs"},
      {"[limit]\nholdings = 1\n", "p2pd.toml:1:", "limit"},
      {"[limits]\nholdings = -1\n", "p2pd.toml:2:", "whole number"},
      {"[limits]\nholdings = 4294967296\n", "p2pd.toml:2:", "whole number"},
      {"[limits]\nholdings = \"1\"\n", "p2pd.toml:2:", "whole number"},
      {"[platform]\nvirtualization = true\n", "p2pd.toml:2:", "virtualization"},
      {"[limits\n", "p2pd.toml:1:", ""},
      {"[=", "p2pd.toml:1:", ""},
      {"a=[}", "p2pd.toml:1:", ""},
  };
  for (const auto& [text, place, reason] : broken) {
    const auto config = parse_config(text, "p2pd.toml");
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().text.find(place), 0U) << config.error().text;
    EXPECT_NE(config.error().text.find(reason), std::string::npos) << config.error().text;
  }
}

}  // namespace

}  // namespace p2pd::test
