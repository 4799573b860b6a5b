// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What every bus test begins with: a bus, a polkit, a machine, p2pd, and people on the bus.
#pragma once

#include <gtest/gtest.h>

#include <sys/types.h>

#include <memory>
#include <string>

#include "harness/client.h"
#include "harness/daemon_process.h"
#include "harness/fake_polkit.h"
#include "harness/machine.h"
#include "harness/private_bus.h"

namespace p2pd::test {

// dbus-daemon lets in nobody whom passwd does not know. These are on every Debian: www-data, backup, list.
inline constexpr uid_t alice_uid = 33;
inline constexpr uid_t bob_uid = 34;
inline constexpr uid_t carol_uid = 38;

// Memory as p2pd takes it: a memfd that cannot shrink.
[[nodiscard]] UniqueFd sealed_memory(std::uint64_t length);

class Scene : public testing::Test {
 protected:
  // `configuration`: text of p2pd.toml.
  explicit Scene(const std::string& configuration = "");
  // A daemon that died is a failure of whatever the test was about; its log is shown when the test failed.
  void TearDown() override;

  // alice and bob may acquire and map, as members of group p2p may by the shipped rule.
  void let_clients_work();
  // The usual target is enabled, the usual initiator is offered.
  void set_up_the_usual_pair();

  // A grant with the lease that holds it.
  struct Held {
    std::string path;
    Lease lease;
    UniqueFd device;
  };
  // Acquires and takes the device from the lease.
  [[nodiscard]] static Held acquire(Client& client, const std::string& address, const Options& options = {});

  // The fake VFIO keeps some descriptors of each function that it has opened once, and of each BAR that it has mapped once:
  // before traces are counted.
  void use_the_usual_pair_once();

  // Waits for what has no event of its own; asks p2pd something harmless in between, so that it goes on.
  void eventually(const std::string& what, const std::function<bool()>& holds);

  // What a request may leave behind when it is refused: nothing.
  struct Traces {
    std::size_t fds = 0;
    std::map<std::string, std::set<std::string>> address_spaces;
    Value statistics;
  };
  [[nodiscard]] Traces traces();
  // Equal to `before`, at the latest when all is closed that must be. Fewer fds are no trace: what a client made is closed by
  // a thread of its own, maybe after `before` was taken.
  void expect_no_trace_since(const Traces& before);

  TemporaryDirectory directory;
  PrivateBus bus;
  FakePolkit polkit;
  FakeSysfs tree;
  std::unique_ptr<DaemonProcess> daemon;
  Client root;
  Client alice;
  Client bob;
};

}  // namespace p2pd::test
