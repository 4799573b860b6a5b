// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/budget.h"

#include <algorithm>

namespace p2pd {

namespace {

constexpr std::size_t most_accounts = 1024;

}  // namespace

std::int64_t Budget::left_in(const Account& account, Time now) const {
  const auto passed = (now - account.at).count();
  // An hour fills it in any case; more would overflow the product.
  if (passed > 3'600'000'000) return burst_;
  return std::min(burst_, account.left + passed * per_second_ / 1'000'000);
}

Budget::Account& Budget::account_of(const std::string& sender, Time now) {
  if (accounts_.size() >= most_accounts)
    std::erase_if(accounts_, [&](const auto& entry) { return left_in(entry.second, now) == burst_; });
  // More senders than this with open accounts at once: all start anew rather than take memory without end.
  if (accounts_.size() >= most_accounts) accounts_.clear();
  auto& account = accounts_.try_emplace(sender, Account{burst_, now}).first->second;
  account.left = left_in(account, now);
  account.at = now;
  return account;
}

bool Budget::spend(const std::string& sender, std::int64_t amount, Time now) {
  auto& account = account_of(sender, now);
  if (account.left < burst_ && account.left < amount) return false;
  account.left -= std::min(account.left, amount);
  return true;
}

void Budget::charge(const std::string& sender, std::int64_t amount, Time now) { account_of(sender, now).left -= amount; }

bool Budget::owes(const std::string& sender, Time now) const {
  const auto account = accounts_.find(sender);
  return account != accounts_.end() && left_in(account->second, now) < 0;
}

}  // namespace p2pd
