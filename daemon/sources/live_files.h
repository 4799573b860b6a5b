// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reading sysfs: attributes below an open directory, and config space dword by dword.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/unique_fd.h"
#include "sources/config_space.h"

namespace p2pd {

// An open directory: everything read through it belongs to one device, even when the device goes and another comes.
class Directory {
 public:
  [[nodiscard]] static std::optional<Directory> open(const std::filesystem::path& path);

  // Without the newline at its end. Nothing when it cannot be read.
  [[nodiscard]] std::optional<std::string> read(const char* name) const;
  // "0x8086", "42" or "-1".
  [[nodiscard]] std::optional<std::int64_t> read_number(const char* name) const;
  // The last part of where a symbolic link points to.
  [[nodiscard]] std::optional<std::string> link_name(const char* name) const;
  // Nothing when there is no such file.
  [[nodiscard]] std::optional<std::uint64_t> inode(const char* name) const;
  // Opened for reading; empty when it cannot be.
  [[nodiscard]] UniqueFd open_file(const char* name) const;

 private:
  explicit Directory(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// A whole file, or nothing.
[[nodiscard]] std::optional<std::string> read_file(const std::filesystem::path& path);

// Whether the text is somewhere in a file, which is read piece by piece; nothing when it cannot be read.
[[nodiscard]] std::optional<bool> file_contains(const std::filesystem::path& path, std::string_view text);

// Names in a directory, in no order; empty when it cannot be listed.
[[nodiscard]] std::vector<std::string> list_directory(const std::filesystem::path& path);

// "0x8086", "42" or "-1".
[[nodiscard]] std::optional<std::int64_t> parse_sysfs_number(std::string_view text);

// The sysfs file `config`: the header in one read, everything else only as it is asked for (reading all 4 KiB would
// take a thousand slow requests). Without CAP_SYS_ADMIN it ends at byte 64.
class ConfigFile final : public ConfigSpace {
 public:
  explicit ConfigFile(UniqueFd fd);
  [[nodiscard]] std::optional<std::uint32_t> read_dword(unsigned offset) const override;

 private:
  UniqueFd fd_;
  std::array<std::uint8_t, 64> header_{};
  std::size_t header_size_ = 0;
};

}  // namespace p2pd
