// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mapping/transaction.h"

#include <utility>

namespace p2pd {

Transaction::~Transaction() { roll_back(); }

Outcome<void> Transaction::run(Step step) {
  // Room first: once the step ran, nothing may fail before its undo is recorded.
  done_.reserve(done_.size() + 1);
  auto outcome = fail_ && fail_(step.name) ? Outcome<void>(refuse(ErrorCode::failed, "made to fail")) : step.run();
  if (!outcome) {
    roll_back();
    return refuse(outcome.error().code, what_ + ": " + step.name + ": " + outcome.error().text);
  }
  done_.push_back(std::move(step));
  return {};
}

void Transaction::keep() { done_.clear(); }

void Transaction::roll_back() {
  while (!done_.empty()) {
    const Step step = std::move(done_.back());
    done_.pop_back();
    if (step.undo) step.undo();
  }
}

}  // namespace p2pd
