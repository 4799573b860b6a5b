// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A wide matrix made readable: functions that are alike become one line and one set of columns. Nothing is lost: what
// differs in a single pair stays apart.
#pragma once

#include <string>
#include <vector>

#include "p2pclient/device.h"
#include "p2pclient/verdict.h"

namespace p2pclient::cli {

// Functions that can change places without changing the matrix: each pair of one of them with any other function is as
// that of its fellows, in both directions, and the pairs among them are all alike.
struct Fold {
  struct Member {
    std::string address;
    std::vector<std::size_t> rows;  // none or one
    std::vector<std::size_t> columns;
  };
  std::vector<Member> members;  // at least one; the first stands for all
};

// A matrix is wide, and folded, with more rows or columns than this.
inline constexpr std::size_t wide = 16;

// In the order of the matrix. Only siblings of one class are folded: VFs of one PF, functions below one switch, functions of
// root ports. What is not in `devices` stays alone.
[[nodiscard]] std::vector<Fold> fold(const Matrix& matrix, const std::vector<Device>& devices);
[[nodiscard]] std::vector<Fold> fold_nothing(const Matrix& matrix);

}  // namespace p2pclient::cli
