// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Kernel steps that succeed together or leave nothing: rollback, step names in errors and fault injection live here and
// nowhere in the back ends.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/reason.h"

namespace p2pd {

struct Step {
  std::string name;  // "open group 12": appears in the error
  std::function<Outcome<void>()> run;
  std::function<void()> undo;  // empty = nothing to undo
};

// Tests make a step fail by name; in the daemon there is none.
using FaultInjector = std::function<bool(std::string_view step)>;

class Transaction {
 public:
  explicit Transaction(std::string what, FaultInjector fail = {}) : what_(std::move(what)), fail_(std::move(fail)) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  // Undoes what was done, last first, unless keep() was called.
  ~Transaction();

  // Runs the step. On failure everything done before is undone and the reason names what, step and cause.
  [[nodiscard]] Outcome<void> run(Step step);
  // All done: nothing will be undone.
  void keep();

 private:
  void roll_back();

  std::string what_;
  FaultInjector fail_;
  std::vector<Step> done_;
};

}  // namespace p2pd
