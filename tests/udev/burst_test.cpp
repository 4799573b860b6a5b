// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A rescan of a big machine: 256 functions that come and go at once, p2pd as a process of its own on udev's side of it.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <umockdev.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <memory>
#include <system_error>
#include <thread>

#include "harness/client.h"
#include "harness/daemon_process.h"
#include "harness/private_bus.h"

namespace p2pd::test {
namespace {

constexpr unsigned burst = 256;

std::string address_of(unsigned number) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0000:%02x:%02x.%x", 1 + number / 64, number / 8 % 8, number % 8);
  return text.data();
}

struct Machine {
  Machine() : testbed(umockdev_testbed_new()) {}
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() { g_object_unref(testbed); }

  UMockdevTestbed* testbed;
};

// One life of p2pd on a bus of its own.
struct Running {
  Running() : bus(directory.path()) {
    std::filesystem::create_directories(directory.path() / "proc");
    daemon = std::make_unique<DaemonProcess>(DaemonProcess::Settings{.bus = bus.address(),
                                                                     .directory = directory.path(),
                                                                     .sysfs_root = "/sys",
                                                                     .proc_root = directory.path() / "proc",
                                                                     .configuration = ""});
    client = std::make_unique<Client>(bus, 0);
  }

  [[nodiscard]] Value devices() const {
    auto objects = client->objects().dict();
    std::erase_if(objects, [](const auto& object) { return object.first.find("/device/") == std::string::npos; });
    return objects;
  }
  void wait_for_devices(std::size_t count) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (devices().size() != count) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << devices().size() << " instead of " << count;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    client->ping();
  }

  TemporaryDirectory directory;
  PrivateBus bus;
  std::unique_ptr<DaemonProcess> daemon;
  std::unique_ptr<Client> client;
};

std::map<std::string, unsigned> count_by_name(const std::deque<Signal>& signals) {
  std::map<std::string, unsigned> counts;
  for (const auto& signal : signals) ++counts[signal.name.substr(signal.name.rfind('.') + 1)];
  return counts;
}

// The testbed's events wait in sockets that hold ten. How many is a setting of the network namespace; this one gets its own.
void make_room_for_events() {
  if (::unshare(CLONE_NEWNET) < 0) throw std::system_error(errno, std::generic_category(), "unshare");
  write_file("/proc/sys/net/unix/max_dgram_qlen", std::to_string(2 * burst));
}

std::vector<std::string> add_all(const Machine& machine) {
  std::vector<std::string> paths;
  for (unsigned number = 0; number < burst; ++number) {
    gchar* path = umockdev_testbed_add_device(machine.testbed, "pci", address_of(number).c_str(), nullptr, "vendor", "0x8086",
                                              "device", "0x1234", "class", "0x020000", nullptr, nullptr);
    paths.emplace_back(path);
    g_free(path);
  }
  return paths;
}

void remove_all(const Machine& machine, const std::vector<std::string>& paths) {
  for (const auto& path : paths) {
    umockdev_testbed_uevent(machine.testbed, path.c_str(), "remove");
    umockdev_testbed_remove_device(machine.testbed, path.c_str());
  }
}

// What p2pd tells of it, by the signals' names.
template <class Change>
std::map<std::string, unsigned> tell_at_once(const Running& running, std::size_t then, const Change& change) {
  const auto before = count_by_name(running.client->signals());
  const auto& process = running.daemon->process();
  process.send(SIGSTOP);
  change();
  process.send(SIGCONT);
  running.wait_for_devices(then);
  auto counts = count_by_name(running.client->signals());
  for (const auto& [name, count] : before) counts[name] -= count;
  std::cout << burst << " functions at once:";
  for (const auto& [name, count] : counts) std::cout << ' ' << count << ' ' << name;
  std::cout << '\n';
  return counts;
}

TEST(Burst, GivesEachFunctionOneSignalAndOneTree) {
  make_room_for_events();
  const Machine machine;
  const Running running;
  running.wait_for_devices(0);

  std::vector<std::string> paths;
  auto told = tell_at_once(running, burst, [&] { paths = add_all(machine); });
  EXPECT_EQ(told["InterfacesAdded"], burst);
  EXPECT_LE(told["PropertiesChanged"], 2U) << "the number of the picture, not one for each";

  told = tell_at_once(running, 0, [&] { remove_all(machine, paths); });
  EXPECT_EQ(told["InterfacesAdded"], 0U);
  EXPECT_EQ(told["InterfacesRemoved"], burst);
  EXPECT_LE(told["PropertiesChanged"], 2U);

  told = tell_at_once(running, burst, [&] { paths = add_all(machine); });
  EXPECT_EQ(told["InterfacesAdded"], burst);
  const Running afterwards;  // takes the testbed's events from the other one
  EXPECT_TRUE(running.devices() == afterwards.devices()) << "what somebody sees who was not there is something else";
}

}  // namespace
}  // namespace p2pd::test
