// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Machines so large that the list of all objects nearly does not fit into a message: dbus-daemon throws off the bus who sends
// more than 32 MiB at once.
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "generated_machine.h"
#include "harness/client.h"
#include "harness/daemon_process.h"
#include "harness/wire_size.h"

namespace p2pd::test {
namespace {

constexpr std::size_t largest_message = std::size_t{32} << 20;
constexpr std::size_t functions = 13000;
constexpr std::size_t most_listed = 16384;

using Message = std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)>;

class LargeMachine : public testing::Test {
 protected:
  LargeMachine() : bus(directory.path()) {
    generate_machine(tree, functions);
    tree.set_kernel("6.1.0-test", true);
    tree.set_cpu("AuthenticAMD", 0x17, false);
    daemon = std::make_unique<DaemonProcess>(DaemonProcess::Settings{.bus = bus.address(),
                                                                     .directory = directory.path(),
                                                                     .sysfs_root = tree.sysfs(),
                                                                     .proc_root = tree.top() / "proc",
                                                                     .configuration = ""});
  }

  // Each time somebody else: who asks for that much over and over has to wait.
  [[nodiscard]] Message call(const char* path, const char* interface, const char* member) const {
    const std::unique_ptr<sd_bus, decltype(&sd_bus_flush_close_unref)> connection(bus.connect(), sd_bus_flush_close_unref);
    sd_bus_error error{};
    sd_bus_message* reply = nullptr;
    if (sd_bus_call_method(connection.get(), "org.p2pd1", path, interface, member, &error, &reply, nullptr) < 0)
      ADD_FAILURE() << member << ": " << error.name << ": " << error.message << '\n' << daemon->log();
    sd_bus_error_free(&error);
    return {reply, sd_bus_message_unref};
  }
  [[nodiscard]] Message all_objects() const {
    return call("/org/p2pd1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
  }
  static std::set<std::string> devices_in(sd_bus_message* objects) {
    std::set<std::string> paths;
    if (objects == nullptr) return paths;
    sd_bus_message_enter_container(objects, 'a', "{oa{sa{sv}}}");
    while (sd_bus_message_enter_container(objects, 'e', "oa{sa{sv}}") > 0) {
      const char* path = nullptr;
      sd_bus_message_read(objects, "o", &path);
      if (std::string_view(path).starts_with("/org/p2pd1/device/")) paths.insert(path);
      sd_bus_message_skip(objects, "a{sa{sv}}");
      sd_bus_message_exit_container(objects);
    }
    return paths;
  }

  TemporaryDirectory directory;
  PrivateBus bus;
  FakeSysfs tree;
  std::unique_ptr<DaemonProcess> daemon;
};

TEST_F(LargeMachine, HasAListOfAllObjectsThatTheBusTakes) {
  const auto all = all_objects();
  ASSERT_NE(all, nullptr);
  EXPECT_EQ(devices_in(all.get()).size(), functions);
  const auto size = body_size(all.get());
  EXPECT_LT(size, largest_message);
  RecordProperty("bytes", std::to_string(size));

  // More come than a list can have: VFs are left out of it, and nothing else.
  generate_machine(tree, most_listed - functions + 1, 0x100);
  Client root(bus, 0);
  (void)root.call({.path = "/org/p2pd1", .method = "org.p2pd1.Manager.Reload", .arguments = {}}).granted();
  const auto most = all_objects();
  ASSERT_NE(most, nullptr);
  EXPECT_LT(body_size(most.get()), largest_message);
  const auto listed = devices_in(most.get());
  EXPECT_LT(listed.size(), functions);
  EXPECT_EQ(root.statistics()["functions"], most_listed + 1);

  const auto* const physical = "0000:03:00.0";
  const auto* const virtual_one = "0000:03:00.1";
  EXPECT_TRUE(listed.contains(root.device(physical)));
  const auto path = root.device(virtual_one);
  EXPECT_FALSE(listed.contains(path));
  EXPECT_EQ(root.properties(path)["PhysicalFunction"], physical);
  EXPECT_NE(call(path.c_str(), "org.freedesktop.DBus.Introspectable", "Introspect"), nullptr);
  EXPECT_EQ(root.check(virtual_one, std::string(physical) + ":2").error, "");
  EXPECT_TRUE(daemon->is_alive());
}

}  // namespace
}  // namespace p2pd::test
