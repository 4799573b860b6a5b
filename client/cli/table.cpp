// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/table.h"

#include <libsmartcols/libsmartcols.h>

#include <cstdlib>
#include <new>
#include <stdexcept>

namespace p2pclient::cli {

namespace {

struct Unref {
  void operator()(libscols_table* table) const { scols_unref_table(table); }
};
struct Free {
  void operator()(char* text) const { std::free(text); }  // NOLINT: libsmartcols allocates with malloc
};

// libsmartcols fails for want of memory only.
void check(int result) {
  if (result < 0) throw std::bad_alloc();
}

}  // namespace

struct Table::Impl {
  std::unique_ptr<libscols_table, Unref> table{scols_new_table()};
  std::vector<libscols_line*> lines;  // the table's
};

Table::Table(const std::vector<Column>& columns, const Style& style) : impl_(std::make_unique<Impl>()) {
  auto* table = impl_->table.get();
  if (table == nullptr) throw std::bad_alloc();
  check(scols_table_enable_colors(table, style.colors ? 1 : 0));
  check(scols_table_set_termforce(table, style.width ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER));
  if (style.width) check(scols_table_set_termwidth(table, *style.width));
  for (const auto& column : columns) {
    const int flags =
        (column.right ? SCOLS_FL_RIGHT : 0) | (column.tree ? SCOLS_FL_TREE : 0) | (column.may_shrink ? SCOLS_FL_TRUNC : 0);
    if (scols_table_new_column(table, column.title.c_str(), 0, flags) == nullptr) throw std::bad_alloc();
  }
}

Table::Table(Table&&) noexcept = default;
Table& Table::operator=(Table&&) noexcept = default;
Table::~Table() = default;

Table::Line Table::add(const std::vector<std::string>& cells, std::optional<Line> parent) {
  auto* line = scols_table_new_line(impl_->table.get(), parent ? impl_->lines.at(*parent) : nullptr);
  if (line == nullptr) throw std::bad_alloc();
  for (std::size_t i = 0; i < cells.size(); ++i) check(scols_line_set_data(line, i, cells[i].c_str()));
  impl_->lines.push_back(line);
  return impl_->lines.size() - 1;
}

void Table::color(Line line, std::size_t column, const std::string& name) {
  auto* cell = scols_line_get_cell(impl_->lines.at(line), column);
  if (cell == nullptr) throw std::out_of_range("no such column");
  check(scols_cell_set_color(cell, name.c_str()));
}

std::string Table::to_string() const {
  if (impl_->lines.empty()) return {};
  char* text = nullptr;
  check(scols_print_table_to_string(impl_->table.get(), &text));
  const std::unique_ptr<char, Free> owner(text);
  return std::string(text) + "\n";
}

}  // namespace p2pclient::cli
