// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A table of a TOML file, read key by key. A missing key, a wrong type and a key that nobody asked for are errors, with
// file and line; the first one is kept.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/machine.h"
#include "model/reason.h"
#include "platform/toml.h"

namespace p2pd {

// `FILE:LINE: why` of what is wrong first.
class TomlErrors {
 public:
  explicit TomlErrors(std::string file) : file_(std::move(file)) {}

  void add(const toml::node& node, std::string_view why);
  [[nodiscard]] bool is_clean() const { return first_.empty(); }
  [[nodiscard]] const std::string& first() const { return first_; }
  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  std::string file_;
  std::string first_;
};

class TomlFields {
 public:
  TomlFields(const toml::table& table, TomlErrors& errors) : table_(table), errors_(errors) {}

  // "" when it is missing, which is an error.
  [[nodiscard]] std::string text(std::string_view key);
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view key);
  [[nodiscard]] std::vector<std::string> texts(std::string_view key);
  [[nodiscard]] std::vector<std::string> optional_texts(std::string_view key);
  [[nodiscard]] bool flag(std::string_view key);  // false when it is missing
  [[nodiscard]] unsigned number(std::string_view key, unsigned least, unsigned most);
  // "yes", "no" or "unknown".
  [[nodiscard]] Tristate answer(std::string_view key);
  // `[[key]]`, none when it is missing.
  [[nodiscard]] std::vector<const toml::table*> tables(std::string_view key);

  // About the value of `key`, or about the table where that is missing.
  void fail(std::string_view key, std::string_view why);
  // Nobody asks for more keys.
  void finish();
  [[nodiscard]] unsigned line() const { return table_.source().begin.line; }

 private:
  const toml::node* find(std::string_view key);
  void miss(std::string_view key);

  const toml::table& table_;
  TomlErrors& errors_;
  std::set<std::string, std::less<>> asked_;
};

// Syntax errors with file and line, as the others.
[[nodiscard]] Outcome<toml::table> parse_toml(std::string_view text, const std::string& file);

}  // namespace p2pd
