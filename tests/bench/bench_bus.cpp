// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>
#include <systemd/sd-bus.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "benches.h"
#include "bus/matrix.h"
#include "constant_service.h"
#include "harness/wire_size.h"
#include "measured_daemon.h"

namespace p2pd::bench {

namespace {

using Clock = std::chrono::steady_clock;
using Bus = std::unique_ptr<sd_bus, decltype(&sd_bus_flush_close_unref)>;
using Message = std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)>;

Bus connect(const test::PrivateBus& bus) { return {bus.connect(), sd_bus_flush_close_unref}; }

Message make_call(sd_bus* bus, const char* service, const char* interface, const char* member) {
  sd_bus_message* call = nullptr;
  if (sd_bus_message_new_method_call(bus, &call, service, "/org/p2pd1", interface, member) < 0)
    throw std::runtime_error("no memory for a message");
  return {call, sd_bus_message_unref};
}

struct Answered {
  Message reply;
  double seconds = 0;
};

Answered call(sd_bus* bus, const Message& message) {
  sd_bus_error error{};
  sd_bus_message* reply = nullptr;
  const auto begin = Clock::now();
  if (sd_bus_call(bus, message.get(), 0, &error, &reply) < 0)
    throw std::runtime_error(fmt::format("{}: {}", sd_bus_message_get_member(message.get()), error.message));
  return {{reply, sd_bus_message_unref}, std::chrono::duration<double>(Clock::now() - begin).count()};
}

Message make_check(sd_bus* bus, const char* service) {
  auto message = make_call(bus, service, "org.p2pd1.Manager", "Check");
  sd_bus_message_append(message.get(), "ssa{sv}", some_initiator, some_target, 0);
  return message;
}

void wait_for_name(sd_bus* bus, const char* name) {
  while (sd_bus_get_name_creds(bus, name, 0, nullptr) < 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

void measure_check(Table& table, const test::PrivateBus& bus) {
  constexpr int rounds = 3000;
  const auto client = connect(bus);
  const test::ChildProcess constant_service(
      {.arguments = {"/proc/self/exe", "--constant", bus.address()}, .environment = {}, .log = "/dev/null"});
  wait_for_name(client.get(), constant_name);
  std::vector<double> check;
  std::vector<double> constant;
  std::vector<double> ping;
  for (int round = 0; round < rounds; ++round) {
    check.push_back(call(client.get(), make_check(client.get(), "org.p2pd1")).seconds);
    constant.push_back(call(client.get(), make_check(client.get(), constant_name)).seconds);
    ping.push_back(call(client.get(), make_call(client.get(), "org.p2pd1", "org.freedesktop.DBus.Peer", "Ping")).seconds);
  }
  table.add("Check", median(check) * 1e6, "us");
  table.add("the same answer by a service that only sends it", median(constant) * 1e6, "us");
  table.add("Ping", median(ping) * 1e6, "us");
  table.add_ratio("Check / the same answer", median(check), median(constant), at_most(1.1));
  table.add_ratio("Check / Ping", median(check), median(ping), at_most(1.3));
}

// As many pairs as one call may ask about.
void measure_check_all(Table& table, const test::PrivateBus& bus, const std::filesystem::path& sysfs_root) {
  std::vector<std::string> functions;
  for (const auto& entry : std::filesystem::directory_iterator(sysfs_root / "bus/pci/devices"))
    functions.push_back(entry.path().filename());
  const auto client = connect(bus);
  const auto message = make_call(client.get(), "org.p2pd1", "org.p2pd1.Manager", "CheckAll");
  const auto put_names = [&](const char* option, std::size_t count, const char* suffix) {
    sd_bus_message_open_container(message.get(), 'e', "sv");
    sd_bus_message_append_basic(message.get(), 's', option);
    sd_bus_message_open_container(message.get(), 'v', "as");
    sd_bus_message_open_container(message.get(), 'a', "s");
    for (std::size_t i = 0; i < count; ++i)
      sd_bus_message_append_basic(message.get(), 's', (functions[i % functions.size()] + suffix).c_str());
    for (int depth = 0; depth < 3; ++depth) sd_bus_message_close_container(message.get());
  };
  // Endpoints and VFs: ports have no BARs.
  std::erase_if(functions, [](const std::string& name) { return !name.ends_with(".1"); });
  std::size_t rows = 1;
  while (rows * rows < most_pairs) rows *= 2;
  sd_bus_message_open_container(message.get(), 'a', "{sv}");
  put_names("initiators", rows, "");
  put_names("targets", most_pairs / rows, ":0");
  sd_bus_message_close_container(message.get());
  table.add(fmt::format("CheckAll of {} pairs", rows * (most_pairs / rows)), call(client.get(), message).seconds * 1e3, "ms",
            at_most(100));
}

void measure_all_objects(Table& table, const test::PrivateBus& bus) {
  const auto client = connect(bus);
  const auto all =
      call(client.get(), make_call(client.get(), "org.p2pd1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"));
  table.add("GetManagedObjects", all.seconds * 1e3, "ms");
  table.add("GetManagedObjects: size", static_cast<double>(test::body_size(all.reply.get())) / (1 << 20), "MiB", at_most(32));
}

}  // namespace

void measure_bus(Table& table, const test::PrivateBus& bus, const std::filesystem::path& sysfs_root) {
  const MeasuredDaemon daemon(bus, sysfs_root);
  measure_check(table, bus);
  measure_check_all(table, bus, sysfs_root);
  measure_all_objects(table, bus);
  table.add("memory after GetManagedObjects", daemon.resident_mib(), "MiB");
}

}  // namespace p2pd::bench
