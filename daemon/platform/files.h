// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where platform knowledge comes from: the files that p2pd ships, an operator's beside and over them, and descriptions of
// who reaches whom. A broken file is a problem with its line; everything else counts.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "platform/platform_file.h"

namespace p2pd {

// Where `cmake --install` puts p2pd's own files.
[[nodiscard]] std::filesystem::path installed_platform_files();

// A place that is "" has nothing.
struct PlatformPlaces {
  std::filesystem::path shipped = installed_platform_files();
  std::filesystem::path overrides = "/etc/p2pd/platform.d";
  std::filesystem::path operator_peers = "/etc/p2pd/peers.toml";
  // QEMU's fw_cfg, by the kernel's module qemu_fw_cfg.
  std::filesystem::path hypervisor_peers = "/sys/firmware/qemu_fw_cfg/by_name/opt/org.p2pd/peers/raw";
};

class PlatformFiles {
 public:
  explicit PlatformFiles(PlatformPlaces places) : places_(std::move(places)) {}

  struct Reading {
    PlatformTables tables;
    std::vector<std::string> problems;  // `FILE:LINE: why`
  };
  // In the order of file names, as systemd orders drop-ins: an operator's file of the name of a shipped one masks it, but
  // what says no in there stays unless the file says `unsafe = true`. Of a file that is broken now the last good version
  // counts, if there was one.
  [[nodiscard]] Reading read();

 private:
  void read_shipped(const std::filesystem::path& file, const std::filesystem::path& mask, Reading& reading);
  const PlatformFile* read_platform_file(const std::filesystem::path& file, FileOrigin origin, Reading& reading);
  void read_peers(const std::filesystem::path& file, Reading& reading);

  PlatformPlaces places_;
  std::map<std::filesystem::path, PlatformFile> good_;
  std::map<std::filesystem::path, PeersTable> good_peers_;
  // The hypervisor's does not change while the machine runs: asked once.
  std::optional<Reading> hypervisor_;
};

}  // namespace p2pd
