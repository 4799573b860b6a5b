// SPDX-License-Identifier: LGPL-2.1-or-later
#include "table.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace p2pd::bench {

namespace {

std::string number(double value) {
  return fmt::format("{:.{}f}", value, std::abs(value) < 100 && value != std::floor(value) ? 2 : 0);
}

void print(const std::string& name, const std::string& figure, const std::string& goal, const char* result) {
  fmt::print("{:<52} {:>14}  {:<12} {}\n", name, figure, goal, result);
  std::fflush(stdout);
}

}  // namespace

Table::Table() { print("", "figure", "goal", ""); }

void Table::add(const std::string& name, double figure, const std::string& unit, Goal goal) {
  goals_ += goal.is_set ? 1 : 0;
  if (goal.is_set && figure > goal.most) missed_.push_back(name);
  print(name, number(figure) + " " + unit, goal.is_set ? "<= " + number(goal.most) : "",
        !goal.is_set ? "" : (figure <= goal.most ? "met" : "NOT met"));
}

void Table::add_ratio(const std::string& name, double ours, double other, Goal goal) { add(name, ours / other, "x", goal); }

void Table::fail(const std::string& name, const std::string& why) {
  ++failures_;
  print(name, "-", "", ("could not be measured: " + why).c_str());
}

void Table::summarize() const {
  fmt::print("goals: {} of {} met{}\n", goals_ - missed_.size(), goals_, missed_.empty() ? "" : "; NOT met:");
  for (const auto& name : missed_) fmt::print("  {}\n", name);
  if (failures_ != 0) fmt::print("{} could not be measured\n", failures_);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.at(values.size() / 2);
}

}  // namespace p2pd::bench
