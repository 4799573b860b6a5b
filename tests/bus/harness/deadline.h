// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Tests wait for events, never for time to pass. A deadline only says when an event that must come is missing.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

namespace p2pd::test {

// Generous: it is waited for in full only when a test fails.
inline constexpr std::chrono::seconds patience{10};

struct TooLate : std::runtime_error {
  explicit TooLate(const std::string& what)
      : std::runtime_error("not within " + std::to_string(patience.count()) + " s: " + what) {}
};

class Deadline {
 public:
  // Throws once it has passed.
  [[nodiscard]] std::chrono::microseconds left(const std::string& what) const {
    const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(end_ - std::chrono::steady_clock::now());
    if (rest.count() <= 0) throw TooLate(what);
    return rest;
  }
  [[nodiscard]] int left_ms(const std::string& what) const { return static_cast<int>(left(what).count() / 1000) + 1; }

 private:
  std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + patience;
};

}  // namespace p2pd::test
