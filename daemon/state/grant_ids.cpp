// SPDX-License-Identifier: LGPL-2.1-or-later
#include "state/grant_ids.h"

#include <spdlog/spdlog.h>

#include <fstream>
#include <limits>

namespace p2pd {

std::uint64_t reserve_grant_ids(const std::filesystem::path& directory) {
  constexpr std::uint64_t reserved = 1'000'000;
  const auto file = directory / "next-grant-id";

  std::uint64_t first = 1;
  if (std::ifstream stream(file);
      !(stream >> first) || first == 0 || first > std::numeric_limits<std::uint64_t>::max() - reserved)
    first = 1;

  // Whole or not at all: a torn number would bring old ones back.
  const auto scratch = directory / "next-grant-id.new";
  std::error_code error;
  if (std::ofstream stream(scratch); !(stream << first + reserved << '\n' << std::flush))
    error = std::make_error_code(std::errc::io_error);
  if (!error) std::filesystem::rename(scratch, file, error);
  if (error) spdlog::warn("cannot write {}: after a restart numbers of grants may come again", file.string());
  return first;
}

}  // namespace p2pd
