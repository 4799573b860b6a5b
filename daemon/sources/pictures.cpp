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

bool contains(const std::vector<Address>& addresses, const Address& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

}  // namespace

Machine read_again(const LiveOptions& options, const Machine& before, std::vector<Address> addresses,
                   const std::vector<Address>& removed) {
  // The kernel announces virtual functions that come and go, but not the physical one that counts them. It grows meanwhile.
  const auto add_physical = [&](const Function* function) {
    if (function != nullptr && function->physical_function && !contains(addresses, *function->physical_function))
      addresses.push_back(*function->physical_function);
  };
  auto functions = before.functions();
  for (std::size_t index = 0; index < addresses.size(); ++index) {
    const auto address = addresses[index];
    const auto* old = before.find(address);
    add_physical(old);
    std::erase_if(functions, [&](const Function& function) { return function.address == address; });
    auto function = read_live_function(options, address, contains(removed, address) ? nullptr : old);
    if (!function) continue;
    add_physical(&*function);
    functions.push_back(std::move(*function));
  }
  return Machine(before.host(), std::move(functions));
}

Outcome<Machine> read_everything_again(const LiveOptions& options, const Machine& before, const std::vector<Address>& removed) {
  auto machine = read_live_machine(options);
  if (!machine) return machine;
  auto functions = machine->functions();
  for (auto& function : functions)
    if (const auto* old = before.find(function.address); old != nullptr && !contains(removed, function.address))
      carry_over_config(function, *old);
  return Machine(machine->host(), std::move(functions));
}

std::vector<Machine> pictures(const Machine& before, Machine now, std::vector<Address> removed) {
  for (const auto& function : before.functions())
    if (const auto* there = now.find(function.address); there != nullptr && identity_of(*there) != identity_of(function))
      removed.push_back(function.address);

  auto left = now.functions();
  std::erase_if(left, [&](const Function& function) {
    return before.find(function.address) != nullptr && contains(removed, function.address);
  });
  std::vector<Machine> result;
  if (left.size() != now.functions().size()) result.emplace_back(now.host(), std::move(left));
  result.push_back(std::move(now));
  return result;
}

}  // namespace p2pd
