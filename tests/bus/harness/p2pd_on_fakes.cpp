// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2pd with all of its rooms but the two that need a real kernel and a service manager. What its VFIO is asked to do is
// written down for the test, which may have steps refused or delayed: see daemon_process.h.
#include <signal.h>
#include <spdlog/spdlog.h>

#include <filesystem>

#include "daemon.h"
#include "effects/journal.h"
#include "fake_fd_store.h"
#include "fake_vfio.h"
#include "harness/machine.h"
#include "harness/watched_vfio.h"
#include "model/target_name.h"
#include "test_paths.h"

int main(int argc, char** argv) {
  if (argc != 5) return 64;
  const std::filesystem::path directory = argv[4];
  const p2pd::DaemonOptions options{.bus = argv[1],
                                    .sysfs_root = argv[2],
                                    .proc_root = argv[3],
                                    .config_file = directory / "p2pd.toml",
                                    .platform_files = P2PD_PLATFORM_FILES,
                                    .runtime_directory = directory / "run"};
  // As main() of p2pd does: the loop reads them through a signalfd.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  try {
    p2pd::set_up_log(true);
    p2pd::fakes::FakeFdStore store;
    p2pd::fakes::FakeVfio fake(&store);
    for (const auto* target : {p2pd::test::target_bar, p2pd::test::switched_target_bar}) {
      const auto name = p2pd::TargetName::parse(target).value();
      fake.set_bar_size(name.device, name.bar, p2pd::Bytes{p2pd::test::target_length});
    }
    p2pd::test::WatchedVfio vfio(fake, directory / "fakes");
    return p2pd::run_daemon(options, {vfio}, store);
  } catch (const std::exception& error) {
    spdlog::critical("{}", error.what());
    return 1;
  }
}
