// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the picture of the machine comes from: the live machine, or an `lspci -x…` dump. Both give the same values.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/machine.h"
#include "model/reason.h"

namespace p2pd {

struct LiveOptions {
  // Another root is a generated tree. What is beside sysfs (/boot, /lib/modules, /dev) is looked for beside the root too.
  std::filesystem::path sysfs_root = "/sys";
  std::filesystem::path proc_root = "/proc";
  std::string virtualization = "auto";  // "auto" = detect; else taken as it is ("none": emulated hardware counts as physical)
  std::string hypervisor;               // as the service manager says; "" = it was not asked, or sees none
};

// Reads every function once.
[[nodiscard]] Outcome<Machine> read_live_machine(const LiveOptions& options);

// Reads one function again (after bind, unbind, change); nothing when it is gone. From `before`, what was read of it
// last time, it takes the names (looking them up costs some 10 ms) and what carry_over_config() says.
[[nodiscard]] std::optional<Function> read_live_function(const LiveOptions& options, const Address& address,
                                                         const Function* before = nullptr);

// A function that was asleep when `fresh` was read (its config space is left alone, so that reading does not wake it)
// keeps what its config space said before. Decode, bus master and power are not carried over: those sleep changes.
void carry_over_config(Function& fresh, const Function& before);

// From the text of `lspci -x`, -xxx or -xxxx (with or without -n, -v is fine too). What the dump cannot tell is unknown.
// parse_dump() touches no file and leaves the names empty. read_dump(): "-" is standard input; any file that can be read
// will do, a pipe too, up to `most` bytes.
inline constexpr std::size_t most_of_a_dump = std::size_t{256} << 20;
[[nodiscard]] Outcome<Machine> read_dump(const std::filesystem::path& file, std::size_t most = most_of_a_dump);
[[nodiscard]] Outcome<Machine> parse_dump(std::string_view text);

// Watches the subsystem `pci` through udev. The fd is for the event loop; `drain` reads what came and says which
// functions to read again. Watch first, enumerate second.
class Watch {
 public:
  [[nodiscard]] static Outcome<Watch> start();
  Watch(Watch&&) noexcept;
  Watch& operator=(Watch&&) noexcept;
  ~Watch();

  struct Changes {
    std::vector<Address> addresses;
    std::vector<Address> removed;  // of these, what went; something may be there again
    bool is_incomplete = false;    // the kernel's buffer overflowed (ENOBUFS): read everything again
  };
  [[nodiscard]] int fd() const;
  [[nodiscard]] Changes drain();

 private:
  struct Impl;
  explicit Watch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace p2pd
