// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The table of bad input: one row per case, each with its own named error, and after each there is no trace left. The rows
// are in bad_input_*_test.cpp; what they spoil works before they come.
#pragma once

#include <functional>
#include <string>

#include "harness/scene.h"

namespace p2pd::test {

class BadInput;

struct Row {
  const char* name;
  const char* error;
  std::function<Answer(BadInput&)> request;
};

inline std::ostream& operator<<(std::ostream& stream, const Row& row) { return stream << row.error; }

inline constexpr const char* invalid_arguments = "org.freedesktop.DBus.Error.InvalidArgs";
inline constexpr const char* unknown_object = "org.freedesktop.DBus.Error.UnknownObject";
inline constexpr const char* unknown_method = "org.freedesktop.DBus.Error.UnknownMethod";

class BadInput : public Scene, public testing::WithParamInterface<Row> {
 public:
  void SetUp() override;

  using Scene::alice;
  using Scene::bob;
  using Scene::bus;
  using Scene::root;

  Held held;          // alice has the usual initiator; the usual target is enabled and mapped by nobody
  Held other;         // bob has the other one, and on it
  std::string taken;  // a part of the disk's BAR, exclusive
  UniqueFd memory;    // 16 KiB as p2pd takes it

  // As alice, on her holding, with a lease of the mapping's own.
  Answer map_with(Options options) { return alice.map(held.path, target_bar, options); }
  Answer map_memory_with(Options options) { return alice.map_memory(held.path, memory.get(), 0, 0x1000, options); }
  Answer acquire_with(Options options);
};

// Rows for INSTANTIATE_TEST_SUITE_P.
template <std::size_t Count>
auto in_table(const Row (&rows)[Count]) {
  return testing::ValuesIn(rows);
}
inline std::string row_name(const testing::TestParamInfo<Row>& info) { return info.param.name; }

}  // namespace p2pd::test
