// SPDX-License-Identifier: LGPL-2.1-or-later
#include "harness/private_bus.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

#include "test_paths.h"

namespace p2pd::test {

namespace {

// The rules of Debian's /usr/share/dbus-1/system.conf: nothing may be owned, no method called, unless a service's own policy
// allows it.
std::string configuration(const std::filesystem::path& directory) {
  return R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=)" +
         (directory / "bus").string() + R"(</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
    <allow send_destination="org.example.Idle"/>
  </policy>
  <policy user="root">
    <allow own="org.freedesktop.PolicyKit1"/>
    <allow own="org.example.Idle"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
  </policy>
  <include>)" P2PD_BUS_POLICY R"(</include>
</busconfig>
)";
}

void check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

void must(int result, const char* what) {
  if (result < 0) throw std::system_error(-result, std::generic_category(), what);
}

std::vector<gid_t> own_groups() {
  std::vector<gid_t> groups(static_cast<std::size_t>(::getgroups(0, nullptr)));
  check(::getgroups(static_cast<int>(groups.size()), groups.data()), "getgroups");
  return groups;
}

// Somebody else, until it goes.
class Guise {
 public:
  Guise(uid_t uid, const std::set<gid_t>& groups) : groups_(own_groups()) {
    if (uid == 0) return;
    const std::vector<gid_t> theirs(groups.begin(), groups.end());
    check(::setgroups(theirs.size(), theirs.data()), "setgroups (the bus tests run as root)");
    check(::setegid(uid), "setegid");
    check(::seteuid(uid), "seteuid");
  }
  Guise(const Guise&) = delete;
  Guise& operator=(const Guise&) = delete;
  // Going on as somebody else would make every later test mean something else.
  ~Guise() {
    if (::seteuid(0) < 0 || ::setegid(0) < 0 || ::setgroups(groups_.size(), groups_.data()) < 0) std::abort();
  }

 private:
  std::vector<gid_t> groups_;
};

}  // namespace

PrivateBus::PrivateBus(const std::filesystem::path& directory) {
  write_file(directory / "bus.conf", configuration(directory));
  std::array<int, 2> pipe{};
  check(::pipe2(pipe.data(), O_CLOEXEC), "pipe2");
  const UniqueFd from(pipe[0]);
  UniqueFd into(pipe[1]);
  daemon_.emplace(ChildProcess::Program{
      .arguments = {"/usr/bin/dbus-daemon", "--nofork", "--nopidfile", "--nosyslog",
                    "--config-file=" + (directory / "bus.conf").string(), "--print-address=" + std::to_string(into.get())},
      .log = directory / "bus.log",
      .keep = into.get()});
  into.reset();
  const Deadline deadline;
  while (!address_.ends_with('\n')) {
    pollfd ready{.fd = from.get(), .events = POLLIN, .revents = 0};
    check(::poll(&ready, 1, deadline.left_ms("the address of the private bus")), "poll");
    std::array<char, 256> text{};
    const auto length = ::read(from.get(), text.data(), text.size());
    if (length <= 0) throw std::runtime_error("dbus-daemon does not start: " + read_file(directory / "bus.log"));
    address_.append(text.data(), static_cast<std::size_t>(length));
  }
  address_.pop_back();
}

sd_bus* PrivateBus::connect(uid_t uid, const std::set<gid_t>& groups) const {
  const Guise guise(uid, groups);
  sd_bus* bus = nullptr;
  must(sd_bus_new(&bus), "sd_bus_new");
  must(sd_bus_set_address(bus, address_.c_str()), "sd_bus_set_address");
  must(sd_bus_set_bus_client(bus, 1), "sd_bus_set_bus_client");
  must(sd_bus_start(bus), "sd_bus_start");
  const char* name = nullptr;
  must(sd_bus_get_unique_name(bus, &name), "connecting to the private bus");
  return bus;
}

}  // namespace p2pd::test
