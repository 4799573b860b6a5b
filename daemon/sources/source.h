// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the picture of the machine comes from: the live machine, or an `lspci -x…` dump. Both give the same values.
#pragma once

#include <filesystem>
#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/machine.h"
#include "model/reason.h"

namespace p2pd {

// Names of ids, from libpci's list. Loaded once, copied, freed (the list costs 2 MiB).
struct LiveOptions {
  std::filesystem::path sysfs_root = "/sys";  // another root: a generated tree, no libpci access to the real machine
  std::filesystem::path proc_root = "/proc";
  std::string virtualization = "auto";  // "auto" = detect; else taken as it is ("none": emulated hardware counts as physical)
};

// Reads every function once.
[[nodiscard]] Outcome<Machine> read_live_machine(const LiveOptions& options);

// Reads one function again (after bind, unbind, change); nothing when it is gone.
[[nodiscard]] std::optional<Function> read_live_function(const LiveOptions& options, const Address& address);

// From the text of `lspci -x`, -xxx or -xxxx (with or without -n, -v is fine too). What the dump cannot tell is unknown.
[[nodiscard]] Outcome<Machine> read_dump(const std::filesystem::path& file);

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
    bool is_incomplete = false;  // the kernel's buffer overflowed (ENOBUFS): read everything again
  };
  [[nodiscard]] int fd() const;
  [[nodiscard]] Changes drain();

 private:
  struct Impl;
  explicit Watch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace p2pd
