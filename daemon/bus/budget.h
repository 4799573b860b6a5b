// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What each sender may make p2pd spend on it: so much at once, and so much per second afterwards.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace p2pd {

class Budget {
 public:
  using Time = std::chrono::microseconds;

  Budget(std::int64_t burst, std::int64_t per_second) : burst_(burst), per_second_(per_second) {}

  // A full account pays for anything: who asks once gets it. False: not now.
  [[nodiscard]] bool spend(const std::string& sender, std::int64_t amount, Time now);

  // For costs that are known only afterwards: they are charged in any case, and who owes something waits.
  void charge(const std::string& sender, std::int64_t amount, Time now);
  [[nodiscard]] bool owes(const std::string& sender, Time now) const;

 private:
  struct Account {
    std::int64_t left = 0;
    Time at{0};
  };
  [[nodiscard]] std::int64_t left_in(const Account& account, Time now) const;
  [[nodiscard]] Account& account_of(const std::string& sender, Time now);

  std::int64_t burst_;
  std::int64_t per_second_;
  std::map<std::string, Account> accounts_;
};

}  // namespace p2pd
