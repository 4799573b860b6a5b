// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A table or tree as text, drawn by libsmartcols.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace p2pclient::cli {

// How text is drawn.
struct Style {
  bool colors = false;
  std::optional<std::size_t> width;  // of the terminal; nothing = as wide as needed
};

struct Column {
  std::string title;
  bool right = false;       // numbers
  bool tree = false;        // carries the branches
  bool may_shrink = false;  // cut first when the terminal is too narrow
};

class Table {
 public:
  using Line = std::size_t;

  Table(const std::vector<Column>& columns, const Style& style);
  Table(Table&&) noexcept;
  Table& operator=(Table&&) noexcept;
  ~Table();

  // `parent`: the line that this one hangs from in the tree column.
  Line add(const std::vector<std::string>& cells, std::optional<Line> parent = std::nullopt);
  // A colour by libsmartcols' name, e.g. "green"; nothing happens without colours.
  void color(Line line, std::size_t column, const std::string& name);

  // With a line feed at the end; "" when no line was added.
  [[nodiscard]] std::string to_string() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace p2pclient::cli
