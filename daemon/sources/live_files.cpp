// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sources/live_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <climits>
#include <limits>
#include <span>

namespace p2pd {

namespace {

std::optional<std::string> read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

std::size_t read_at(int fd, std::span<std::uint8_t> bytes, unsigned offset) {
  ssize_t count = -1;
  do {
    count = ::pread(fd, bytes.data(), bytes.size(), offset);
  } while (count < 0 && errno == EINTR);
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

}  // namespace

std::optional<Directory> Directory::open(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  return Directory(std::move(fd));
}

UniqueFd Directory::open_file(const char* name) const { return UniqueFd(::openat(fd_.get(), name, O_RDONLY | O_CLOEXEC)); }

std::optional<std::uint64_t> Directory::inode(const char* name) const {
  struct stat status{};
  if (::fstatat(fd_.get(), name, &status, 0) < 0) return std::nullopt;
  return status.st_ino;
}

std::optional<std::string> Directory::read(const char* name) const {
  const auto file = open_file(name);
  if (!file) return std::nullopt;
  // The kernel gives an attribute, at most a page, in one piece (fs/sysfs/file.c): there is no end to wait for.
  std::array<char, 4096> buffer{};
  ssize_t count = -1;
  do {
    count = ::read(file.get(), buffer.data(), buffer.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) return std::nullopt;
  std::string text(buffer.data(), static_cast<std::size_t>(count));
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::optional<std::int64_t> Directory::read_number(const char* name) const {
  const auto text = read(name);
  return text ? parse_sysfs_number(*text) : std::nullopt;
}

std::optional<std::string> Directory::link_name(const char* name) const {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlinkat(fd_.get(), name, target.data(), target.size());
  if (length <= 0) return std::nullopt;
  const std::string_view path(target.data(), static_cast<std::size_t>(length));
  return std::string(path.substr(path.rfind('/') + 1));  // npos + 1 is the whole of it
}

std::optional<std::string> read_file(const std::filesystem::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file ? read_all(file.get()) : std::nullopt;
}

std::optional<bool> file_contains(const std::filesystem::path& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string window;  // the end of the last piece, in which the text may begin, and the next piece
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) return false;
    window.append(buffer.data(), static_cast<std::size_t>(count));
    if (window.find(text) != std::string::npos) return true;
    if (window.size() >= text.size()) window.erase(0, window.size() - (text.size() - 1));
  }
}

std::vector<std::string> list_directory(const std::filesystem::path& path) {
  std::vector<std::string> names;
  std::error_code error;
  auto entry = std::filesystem::directory_iterator(path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
    names.push_back(entry->path().filename());
  return names;
}

std::optional<std::int64_t> parse_sysfs_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
    text.remove_prefix(2);
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

ConfigFile::ConfigFile(UniqueFd fd) : fd_(std::move(fd)), header_size_(fd_ ? read_at(fd_.get(), header_, 0) : 0) {}

std::optional<std::uint32_t> ConfigFile::read_dword(unsigned offset) const {
  if (offset < header_.size()) return ConfigBytes(std::span(header_).first(header_size_)).read_dword(offset);
  std::array<std::uint8_t, 4> dword{};
  if (!fd_ || read_at(fd_.get(), dword, offset) != dword.size()) return std::nullopt;
  return ConfigBytes(dword).read_dword(0);
}

}  // namespace p2pd
