// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many lines clients may have written about them: the journal drops what comes too fast, and must not drop grants for
// the sake of refusals.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace p2pd {

class LineLimit {
 public:
  using Time = std::chrono::microseconds;
  static constexpr unsigned for_each = 20;  // sender, in a minute
  static constexpr unsigned in_all = 500;

  struct Turn {
    bool write = false;
    std::uint64_t left_out = 0;  // in the minute before; said once
  };
  [[nodiscard]] Turn next(const std::string& sender, Time now);

 private:
  Time begin_{0};
  std::map<std::string, unsigned> written_;
  unsigned written_in_all_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace p2pd
