// SPDX-License-Identifier: LGPL-2.1-or-later
#include "effects/file_holders.h"

#include <fmt/format.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

namespace p2pd {

namespace fs = std::filesystem;

namespace {

// What /proc says of an open file without asking its file system, which could be a client's own.
std::string name_of_file(const std::string& process, const std::string& number) {
  std::error_code gone;
  return fs::read_symlink(fmt::format("/proc/{}/fd/{}", process, number), gone).string();
}

template <class Number>
std::optional<Number> number_in(const std::string& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The device that a descriptor of VFIO's is for: from Linux 6.18 on, vfio_main.c vfio_device_show_fdinfo. "" = not said.
std::string device_of(const std::string& process, int number) {
  std::ifstream stream(fmt::format("/proc/{}/fdinfo/{}", process, number));
  for (std::string line; std::getline(stream, line);)
    if (line.starts_with("vfio-device-syspath:")) return line;
  return "";
}

enum class Same : std::uint8_t { no, yes, unknown };

// Of two files of the same name.
Same compare(int ours, const std::string& name, pid_t pid, int theirs) {
  // /dev/vfio/devices/vfioN opens only once (vfio_main.c vfio_df_open); all of the kernel's anonymous files have one inode.
  if (!name.starts_with("anon_inode:")) return Same::yes;
  const auto order = ::syscall(SYS_kcmp, ::getpid(), pid, KCMP_FILE, ours, theirs);
  if (order >= 0) return order == 0 ? Same::yes : Same::no;
  // A kernel without kcmp().
  const auto device = device_of("self", ours);
  if (device.empty()) return Same::unknown;
  return device == device_of(std::to_string(pid), theirs) ? Same::yes : Same::no;
}

FileHolder describe(pid_t pid) {
  FileHolder holder{.pid = pid};
  std::ifstream comm(fmt::format("/proc/{}/comm", pid));
  std::getline(comm, holder.command);
  // A process names itself.
  const auto is_plain = [](char character) { return character > ' ' && character < 0x7f; };
  std::replace_if(holder.command.begin(), holder.command.end(), std::not_fn(is_plain), '?');
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string word; status >> word;)
    if (uid_t real = 0; word == "Uid:" && status >> real >> holder.uid) break;
  return holder;
}

template <class Visit>
void each_name_in(const fs::path& directory, const Visit& visit) {
  std::error_code gone;
  for (fs::directory_iterator entry(directory, gone), end; !gone && entry != end; entry.increment(gone))
    visit(entry->path().filename().string());
}

}  // namespace

std::string text_of(const FileHolder& holder) {
  return fmt::format("pid {} ({}), uid {}{}", holder.pid, holder.command, holder.uid,
                     holder.is_certain ? "" : ", which has this device open or another one of VFIO's");
}

std::vector<FileHolder> holders_of(int file, pid_t suspect) {
  const auto name = name_of_file("self", std::to_string(file));
  std::vector<FileHolder> holders;
  if (name.empty()) return holders;
  each_name_in("/proc", [&](const std::string& process) {
    const auto pid = number_in<pid_t>(process);
    if (!pid || *pid == ::getpid()) return;
    auto found = Same::no;
    bool has_files = false;
    const auto look_at = [&](const std::string& task) {
      each_name_in("/proc/" + task + "/fd", [&](const std::string& entry) {
        has_files = true;
        const auto number = number_in<int>(entry);
        if (!number || found == Same::yes || name_of_file(task, entry) != name) return;
        if (const auto same = compare(file, name, number_in<pid_t>(task).value_or(*pid), *number); same != Same::no) found = same;
      });
    };
    look_at(process);
    // A first thread that has ended has no files, though the others go on.
    if (*pid == suspect || !has_files) each_name_in("/proc/" + process + "/task", look_at);
    if (found == Same::no) return;
    holders.push_back(describe(*pid));
    holders.back().is_certain = found == Same::yes;
  });
  return holders;
}

bool has_mapped(pid_t pid, int file) {
  const auto name = name_of_file("self", std::to_string(file));
  bool found = false;
  each_name_in(fmt::format("/proc/{}/task", pid), [&](const std::string& task) {
    std::ifstream stream("/proc/" + task + "/maps");
    for (std::string line; !found && std::getline(stream, line);) found = !name.empty() && line.ends_with(" " + name);
  });
  return found;
}

}  // namespace p2pd
