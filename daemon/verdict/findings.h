// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reasons against a pair, as they are found. Who asks about very many pairs wants only what they weigh: then no text is made.
#pragma once

#include <vector>

#include "verdict/codes.h"
#include "verdict/verdict.h"

namespace p2pd {

class Findings {
 public:
  Findings() = default;
  // Told in full; `reasons` must live longer.
  explicit Findings(std::vector<Blocker>& reasons) : reasons_(&reasons) {}

  // `tell()` gives the Finding. Undecided: what was needed to decide could not be read.
  template <class Tell>
  void block(Code code, const Tell& tell) {
    weight_.add(facts_of(code).severity, true);
    if (reasons_ != nullptr) reasons_->push_back(blocked(code, tell()));
  }
  template <class Tell>
  void doubt(Code code, const Tell& tell) {
    weight_.add(facts_of(code).severity, false);
    if (reasons_ != nullptr) reasons_->push_back(undecided(code, tell()));
  }

  template <class Tell>
  void report(Code code, bool is_certain, const Tell& tell) {
    if (is_certain)
      block(code, tell);
    else
      doubt(code, tell);
  }

  // Else only what the reasons weigh is asked for.
  [[nodiscard]] bool is_told() const { return reasons_ != nullptr; }
  [[nodiscard]] const Weight& weight() const { return weight_; }

 private:
  Weight weight_;
  std::vector<Blocker>* reasons_ = nullptr;
};

}  // namespace p2pd
