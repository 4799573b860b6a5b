// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What comes out: one line per figure, as soon as it is there.
#pragma once

#include <string>
#include <vector>

namespace p2pd::bench {

// What a figure should be at most; none: it is shown only.
struct Goal {
  double most = 0;
  bool is_set = false;
};
[[nodiscard]] inline Goal at_most(double most) { return {most, true}; }

class Table {
 public:
  Table();
  void add(const std::string& name, double figure, const std::string& unit, Goal goal = {});
  // Two figures of this run: `ours` is not to be more than `goal` times `other`.
  void add_ratio(const std::string& name, double ours, double other, Goal goal);
  void fail(const std::string& name, const std::string& why);
  // Nothing failed.
  [[nodiscard]] bool is_complete() const { return failures_ == 0; }
  // Every figure is as it should be.
  [[nodiscard]] bool is_met() const { return missed_.empty(); }
  // The last line: how many goals there were, and which were not met.
  void summarize() const;

 private:
  unsigned failures_ = 0;
  unsigned goals_ = 0;
  std::vector<std::string> missed_;
};

[[nodiscard]] double median(std::vector<double> values);

}  // namespace p2pd::bench
