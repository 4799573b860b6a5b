// SPDX-License-Identifier: LGPL-2.1-or-later
#include "state/lent_pools.h"

#include <spdlog/spdlog.h>

#include <fstream>
#include <string>

namespace p2pd {

namespace {

constexpr std::string_view prefix = "lent-pool-";

std::filesystem::path file_of(const std::filesystem::path& directory, const Address& device) {
  return directory / (std::string(prefix) + device.to_string());
}

}  // namespace

std::map<Address, LentPool> read_lent_pools(const std::filesystem::path& directory) {
  std::map<Address, LentPool> pools;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(directory, none)) {
    const auto name = entry.path().filename().string();
    const auto device = name.starts_with(prefix) ? Address::parse(name.substr(prefix.size())) : std::nullopt;
    if (!device) continue;
    std::uint64_t pool = 0;
    uid_t uid = 0;
    if (std::ifstream stream(entry.path()); stream >> pool >> uid)
      pools.emplace(*device, LentPool{pool, uid});
    else
      pools.emplace(*device, LentPool{});
  }
  return pools;
}

Outcome<void> write_lent_pool(const std::filesystem::path& directory, const Address& device, const LentPool& lent) {
  const auto file = file_of(directory, device);
  const auto scratch = directory / "new-lent-pool";
  std::error_code error;
  if (std::ofstream stream(scratch); !(stream << lent.pool.value() << ' ' << lent.uid << '\n' << std::flush))
    error = std::make_error_code(std::errc::io_error);
  if (!error) std::filesystem::rename(scratch, file, error);
  if (error) return refuse(ErrorCode::failed, "cannot write " + file.string() + ": " + error.message());
  return {};
}

void forget_lent_pool(const std::filesystem::path& directory, const Address& device) {
  std::error_code error;
  std::filesystem::remove(file_of(directory, device), error);
  if (error) spdlog::warn("cannot remove {}: {}", file_of(directory, device).string(), error.message());
}

}  // namespace p2pd
