// SPDX-License-Identifier: LGPL-2.1-or-later
#include "platform/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "model/unique_fd.h"

namespace p2pd {

namespace {

using std::filesystem::path;

// The largest that p2p-client writes has 64 functions and half of it.
constexpr std::size_t largest_file = std::size_t{1} << 20;

// Nothing when it is not there.
std::optional<Outcome<std::string>> read_bounded(const path& file) {
  // Whatever is there, a pipe too, opening it must not wait.
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return refuse_errno(file.string(), errno);
  }
  std::string text;
  std::array<char, 16384> piece{};
  for (;;) {
    const auto got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refuse_errno(file.string(), errno);
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > largest_file)
      return refuse(ErrorCode::invalid_argument, fmt::format("{}: larger than {} bytes", file.string(), largest_file));
  }
}

std::vector<std::string> toml_files(const path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
    if (entry->path().extension() == ".toml") names.push_back(entry->path().filename().string());
  return names;
}

// What counts of a file: what is in it now, the last good version when that is broken, nothing when it is gone.
template <class Content, class Parse>
const Content* read_into(std::map<path, Content>& good, const path& file, std::vector<std::string>& problems,
                         const Parse& parse) {
  const auto text = read_bounded(file);
  if (!text) {
    good.erase(file);
    return nullptr;
  }
  auto content = *text ? parse(**text) : Outcome<Content>(error_of(*text));
  if (content) return &(good[file] = std::move(*content));
  const auto last = good.find(file);
  problems.push_back(content.error().text + (last != good.end() ? "; what it said before counts" : "; it counts for nothing"));
  return last == good.end() ? nullptr : &last->second;
}

}  // namespace

path installed_platform_files() { return P2PD_PLATFORM_DIR; }

const PlatformFile* PlatformFiles::read_platform_file(const path& file, FileOrigin origin, Reading& reading) {
  return read_into(good_, file, reading.problems,
                   [&](const std::string& text) { return parse_platform_file(text, file.string(), origin); });
}

void PlatformFiles::read_peers(const path& file, Reading& reading) {
  const auto* table =
      read_into(good_peers_, file, reading.problems, [&](const std::string& text) { return parse_peers(text, file.string()); });
  if (table != nullptr) reading.tables.peers.push_back(*table);
}

void PlatformFiles::read_shipped(const path& file, const path& mask, Reading& reading) {
  const auto* above = read_platform_file(mask, FileOrigin::from_operator, reading);
  const auto* shipped = read_platform_file(file, FileOrigin::shipped, reading);
  if (above != nullptr) append(reading.tables, above->tables);
  if (shipped == nullptr) return;
  if (above != nullptr && above->is_unsafe) {
    reading.tables.unsafe_masks.push_back(mask.string());
    return;
  }
  append(reading.tables, above == nullptr ? shipped->tables : careful_part(shipped->tables));
}

PlatformFiles::Reading PlatformFiles::read() {
  Reading reading;
  auto names = toml_files(places_.shipped);
  if (names.empty())
    reading.problems.push_back(
        fmt::format("{}: no platform files: what root complexes forward is unknown", places_.shipped.string()));
  const auto own = toml_files(places_.overrides);
  names.insert(names.end(), own.begin(), own.end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const auto& name : names) read_shipped(places_.shipped / name, places_.overrides / name, reading);

  if (!hypervisor_) read_peers(places_.hypervisor_peers, hypervisor_.emplace());
  append(reading.tables, hypervisor_->tables);
  reading.problems.insert(reading.problems.end(), hypervisor_->problems.begin(), hypervisor_->problems.end());
  read_peers(places_.operator_peers, reading);
  return reading;
}

}  // namespace p2pd
