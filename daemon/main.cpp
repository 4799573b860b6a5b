// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Options and wiring; nothing else.
#include <signal.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <exception>
#include <string>

#include "daemon.h"
#include "effects/journal.h"
#include "mapping/iommufd.h"
#include "mapping/type1.h"
#include "state/fd_store.h"

namespace {

// systemd names the directories that the unit asked for: systemd.exec(5), RuntimeDirectory=.
std::string directory_from(const char* variable, const std::string& otherwise) {
  const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): before any thread starts
  return value != nullptr && *value != '\0' ? value : otherwise;
}

// Before any thread starts, so that every thread inherits it: the loop reads them through a signalfd.
void block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  p2pd::DaemonOptions options;
  options.runtime_directory = directory_from("RUNTIME_DIRECTORY", "/run/p2pd");
  options.config_file = directory_from("CONFIGURATION_DIRECTORY", "/etc/p2pd") + "/p2pd.toml";
  bool verbose = false;

  CLI::App app("p2pd: arbiter of PCI peer-to-peer DMA");
  app.set_version_flag("--version", P2PD_VERSION);
  app.add_option("--bus", options.bus, "system, session or a D-Bus address")->capture_default_str();
  app.add_option("--config", options.config_file, "configuration file")->capture_default_str();
  app.add_option("--sysfs-root", options.sysfs_root, "where sysfs is mounted, or a copy of it")->capture_default_str();
  app.add_option("--platform", options.platform_files, "directory of the platform files that p2pd ships")->capture_default_str();
  app.add_option("--runtime-directory", options.runtime_directory, "where to keep what survives a restart")
      ->capture_default_str();
  app.add_flag("--verbose", verbose, "log for developers too");
  CLI11_PARSE(app, argc, argv);

  try {
    block_signals();
    p2pd::set_up_log(verbose);
    const auto iommufd = p2pd::make_iommufd();
    const auto type1 = p2pd::make_type1();
    const auto store = p2pd::make_systemd_fd_store();
    return p2pd::run_daemon(options, {*iommufd, *type1}, *store);
  } catch (const std::exception& error) {
    spdlog::critical("{}", error.what());
    return EXIT_FAILURE;
  }
}
