// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which calls were there already when the one before of the same sender was taken up, and so were sent without waiting for
// its answer. Who asks one thing after the other never has such a call, however busy p2pd is, and delays others by no more than
// one call.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace p2pd {

class Overlap {
 public:
  // Positions count the bytes of the connection. Whether a call of `sender` that begins at `begin` was there already when
  // the one before was taken up.
  [[nodiscard]] bool is_seen(const std::string& sender, std::uint64_t begin) const;
  // A call of `sender` is taken up, and not answered yet: `read` is where we are, and the bytes up to `arrived` wait.
  void taken_up(const std::string& sender, std::uint64_t read, std::uint64_t arrived);

 private:
  std::map<std::string, std::uint64_t> arrived_;
};

}  // namespace p2pd
