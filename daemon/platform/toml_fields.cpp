// SPDX-License-Identifier: LGPL-2.1-or-later
#include "platform/toml_fields.h"

#include <fmt/format.h>

#include <algorithm>

namespace p2pd {

namespace {

// Dots outside of strings and comments: each opens a table within another. toml++ limits how deep values nest, but not keys,
// and takes tables apart one within another, until the stack is at its end. No file of ours has any.
constexpr std::size_t most_dots = 256;

bool has_endless_keys(std::string_view text) {
  std::size_t dots = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char at = text[i];
    dots += at == '.' ? 1 : 0;
    if (at == '#') i = std::min(text.find('\n', i), text.size());
    if (at != '"' && at != '\'') continue;
    // A string ends with the quote that begins it, or with three of them, or where its line does.
    const bool is_long = text.substr(i, 3) == std::string(3, at);
    const auto quote = std::string(is_long ? 3 : 1, at);
    for (i += quote.size(); i < text.size() && text.substr(i, quote.size()) != quote; ++i) {
      if (text[i] == '\n' && !is_long) break;
      if (text[i] == '\\' && at == '"') ++i;
    }
    i += quote.size() - 1;
    // A long one may end with two more, which belong to it.
    for (int more = 0; is_long && more < 2 && i + 1 < text.size() && text[i + 1] == at; ++more) ++i;
  }
  return dots > most_dots;
}

}  // namespace

void TomlErrors::add(const toml::node& node, std::string_view why) {
  if (first_.empty()) first_ = fmt::format("{}:{}: {}", file_, node.source().begin.line, why);
}

const toml::node* TomlFields::find(std::string_view key) {
  asked_.emplace(key);
  return table_.get(key);
}

void TomlFields::fail(std::string_view key, std::string_view why) {
  const auto* node = table_.get(key);
  errors_.add(node != nullptr ? *node : table_, why);
}

void TomlFields::miss(std::string_view key) { errors_.add(table_, fmt::format("'{}' is missing", key)); }

std::string TomlFields::text(std::string_view key) {
  const auto value = optional_text(key);
  if (!value) miss(key);
  return value.value_or("");
}

std::optional<std::string> TomlFields::optional_text(std::string_view key) {
  const auto* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_string();
  if (value == nullptr || value->get().empty()) {
    fail(key, fmt::format("'{}' must be a text", key));
    return std::nullopt;
  }
  return value->get();
}

std::vector<std::string> TomlFields::texts(std::string_view key) {
  auto values = optional_texts(key);
  if (values.empty()) miss(key);
  return values;
}

std::vector<std::string> TomlFields::optional_texts(std::string_view key) {
  const auto* node = find(key);
  if (node == nullptr) return {};
  std::vector<std::string> values;
  const auto* list = node->as_array();
  if (list == nullptr || list->empty()) fail(key, fmt::format("'{}' must be a list of texts", key));
  if (list == nullptr) return values;
  for (const auto& element : *list) {
    const auto* value = element.as_string();
    if (value == nullptr)
      errors_.add(element, fmt::format("'{}' must be a list of texts", key));
    else
      values.push_back(value->get());
  }
  return values;
}

bool TomlFields::flag(std::string_view key) {
  const auto* node = find(key);
  if (node == nullptr) return false;
  const auto* value = node->as_boolean();
  if (value == nullptr) fail(key, fmt::format("'{}' must be true or false", key));
  return value != nullptr && value->get();
}

unsigned TomlFields::number(std::string_view key, unsigned least, unsigned most) {
  const auto* node = find(key);
  if (node == nullptr) {
    miss(key);
    return least;
  }
  const auto* value = node->as_integer();
  if (value == nullptr || value->get() < least || value->get() > most) {
    fail(key, fmt::format("'{}' must be a whole number from {} to {}", key, least, most));
    return least;
  }
  return static_cast<unsigned>(value->get());
}

Tristate TomlFields::answer(std::string_view key) {
  const auto value = text(key);
  if (value == "yes") return Tristate::yes;
  if (value == "no") return Tristate::no;
  if (value != "unknown") fail(key, fmt::format("'{}' must be \"yes\", \"no\" or \"unknown\"", key));
  return Tristate::unknown;
}

std::vector<const toml::table*> TomlFields::tables(std::string_view key) {
  const auto* node = find(key);
  if (node == nullptr) return {};
  std::vector<const toml::table*> found;
  const auto* list = node->as_array();
  if (list == nullptr) fail(key, fmt::format("'{0}' must be a list of tables: [[{0}]]", key));
  if (list == nullptr) return found;
  for (const auto& element : *list) {
    if (const auto* table = element.as_table(); table != nullptr)
      found.push_back(table);
    else
      errors_.add(element, fmt::format("'{0}' must be a list of tables: [[{0}]]", key));
  }
  return found;
}

void TomlFields::finish() {
  for (const auto& [key, node] : table_)
    if (!asked_.contains(key.str())) errors_.add(node, fmt::format("unknown key '{}'", key.str()));
}

Outcome<toml::table> parse_toml(std::string_view text, const std::string& file) {
  if (has_endless_keys(text))
    return refuse(ErrorCode::invalid_argument, fmt::format("{}: more than {} dots in its keys", file, most_dots));
  try {
    return toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    return refuse(ErrorCode::invalid_argument, fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
  }
}

}  // namespace p2pd
