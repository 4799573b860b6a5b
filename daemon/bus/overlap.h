// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which calls were sent before their sender had the answer to the one before. Who asks one thing after the other never has
// such a call, however busy p2pd is, and delays others by no more than one call.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace p2pd {

class Overlap {
 public:
  // Positions count the bytes of the connection. Whether a call of `sender` that begins at `begin` was there already when
  // the one before was done with.
  [[nodiscard]] bool is_seen(const std::string& sender, std::uint64_t begin) const;
  // A call of `sender` is done with: `read` is where we are, and the bytes up to `arrived` wait.
  void done(const std::string& sender, std::uint64_t read, std::uint64_t arrived);

 private:
  std::map<std::string, std::uint64_t> arrived_;
};

}  // namespace p2pd
