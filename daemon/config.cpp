// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <fmt/format.h>

#include <fstream>
#include <limits>
#include <sstream>

#include "platform/toml_fields.h"

namespace p2pd {

namespace {

// Collects the first error; the rest of the file is not worth reading then.
class Reader {
 public:
  Reader(Config& config, std::string file) : config_(config), file_(std::move(file)) {}

  Outcome<void> read(const toml::table& root) {
    for (const auto& [section, node] : root) {
      const auto* table = node.as_table();
      if (section.str() == "platform" && table != nullptr) {
        read_platform(*table);
      } else if (section.str() == "limits" && table != nullptr) {
        read_limits(*table);
      } else {
        fail(node, fmt::format("unknown section '{}'", section.str()));
      }
    }
    if (!error_.empty()) return refuse(ErrorCode::invalid_argument, error_);
    return {};
  }

 private:
  void read_platform(const toml::table& table) {
    for (const auto& [key, node] : table) {
      if (key.str() != "virtualization") {
        fail(node, fmt::format("unknown key '{}' in [platform]", key.str()));
      } else if (const auto* text = node.as_string(); text != nullptr && !text->get().empty()) {
        config_.virtualization = text->get();
      } else {
        fail(node, "virtualization must be \"auto\", \"none\" or the name of a hypervisor");
      }
    }
  }

  void read_limits(const toml::table& table) {
    for (const auto& [key, node] : table) {
      if (key.str() == "holdings") {
        read_count(node, config_.limits.holdings);
      } else if (key.str() == "mappings") {
        read_count(node, config_.limits.mappings);
      } else if (key.str() == "bytes") {
        read_count(node, config_.limits.bytes.value);
      } else if (key.str() == "requests") {
        read_count(node, config_.limits.requests);
      } else {
        fail(node, fmt::format("unknown key '{}' in [limits]", key.str()));
      }
    }
  }

  template <class Number>
  void read_count(const toml::node& node, Number& into) {
    const auto* number = node.as_integer();
    const auto largest = static_cast<std::uint64_t>(std::numeric_limits<Number>::max());
    if (number == nullptr || number->get() < 0 || static_cast<std::uint64_t>(number->get()) > largest)
      return fail(node, fmt::format("a limit is a whole number from 0 to {}", largest));
    into = static_cast<Number>(number->get());
  }

  void fail(const toml::node& node, const std::string& why) {
    if (error_.empty()) error_ = fmt::format("{}:{}: {}", file_, node.source().begin.line, why);
  }

  Config& config_;
  std::string file_;
  std::string error_;
};

}  // namespace

Outcome<Config> parse_config(std::string_view text, const std::string& file_name) {
  const auto root = parse_toml(text, file_name);
  if (!root) return error_of(root);
  Config config;
  if (const auto read = Reader(config, file_name).read(*root); !read) return tl::unexpected(read.error());
  return config;
}

Outcome<Config> read_config(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return Config{};
  const std::ifstream stream(file);
  std::ostringstream text;
  if (!(text << stream.rdbuf()) && stream.bad()) return refuse(ErrorCode::failed, "cannot read " + file.string());
  return parse_config(text.str(), file.string());
}

}  // namespace p2pd
