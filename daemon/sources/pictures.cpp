// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sources/pictures.h"

#include <algorithm>
#include <tuple>

namespace p2pd {

namespace {

auto identity_of(const Function& function) {
  return std::tie(function.vendor, function.device, function.subsystem_vendor, function.subsystem_device, function.class_code,
                  function.revision);
}

}  // namespace

std::vector<Machine> pictures(const Machine& before, Machine now, std::vector<Address> removed) {
  for (const auto& function : before.functions())
    if (const auto* there = now.find(function.address); there != nullptr && identity_of(*there) != identity_of(function))
      removed.push_back(function.address);

  auto left = now.functions();
  std::erase_if(left, [&](const Function& function) {
    return before.find(function.address) != nullptr &&
           std::find(removed.begin(), removed.end(), function.address) != removed.end();
  });
  std::vector<Machine> result;
  if (left.size() != now.functions().size()) result.emplace_back(now.host(), std::move(left));
  result.push_back(std::move(now));
  return result;
}

}  // namespace p2pd
