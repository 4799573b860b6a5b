// SPDX-License-Identifier: LGPL-2.1-or-later
//
// /etc/p2pd/p2pd.toml: p2pd.toml(5). Every key has a default; an unknown key or a wrong type is an error with its line.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "arbiter/arbiter.h"
#include "model/reason.h"

namespace p2pd {

struct Config {
  std::string virtualization = "auto";  // "auto", "none" or one of systemd's names
  Limits limits;
};

// A file that is not there is the default configuration.
[[nodiscard]] Outcome<Config> read_config(const std::filesystem::path& file);
[[nodiscard]] Outcome<Config> parse_config(std::string_view text, const std::string& file_name);

}  // namespace p2pd
