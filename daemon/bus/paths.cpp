// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/paths.h"

#include <systemd/sd-bus.h>

#include <charconv>
#include <cstdlib>
#include <memory>

#include "bus/errors.h"
#include "bus/raw.h"
#include "bus/service.h"

namespace p2pd {

namespace {

using CString = std::unique_ptr<char, Dropper<std::free>>;

constexpr std::string_view holding_prefix = "/org/p2pd1/holding/";
constexpr std::string_view mapping_prefix = "/org/p2pd1/mapping/";

}  // namespace

std::string path_of(const Address& address) {
  char* path = nullptr;
  must(sd_bus_path_encode(device_prefix, address.to_string().c_str(), &path), "sd_bus_path_encode");
  return std::string{CString{path}.get()};
}

std::string path_of(const GrantId& grant) {
  if (const auto* holding = std::get_if<HoldingId>(&grant)) return std::string{holding_prefix} + std::to_string(holding->value);
  return std::string{mapping_prefix} + std::to_string(std::get<MappingId>(grant).value);
}

std::optional<Address> device_at(const char* path) {
  char* label = nullptr;
  if (must(sd_bus_path_decode(path, device_prefix, &label), "sd_bus_path_decode") == 0) return std::nullopt;
  const CString owned{label};
  const auto address = Address::parse(owned.get());
  // Upper-case digits decode to the same function, but would be a second object for it.
  if (!address || path_of(*address) != path) return std::nullopt;
  return address;
}

std::optional<HoldingId> holding_at(std::string_view path) {
  if (!path.starts_with(holding_prefix)) return std::nullopt;
  HoldingId id;
  const auto number = path.substr(holding_prefix.size());
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), id.value);
  if (error != std::errc{} || path_of(GrantId{id}) != path) return std::nullopt;
  return id;
}

}  // namespace p2pd
