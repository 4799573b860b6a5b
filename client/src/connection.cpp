// SPDX-License-Identifier: LGPL-2.1-or-later
#include "connection.h"

#include <systemd/sd-bus.h>

#include <chrono>

namespace p2pclient {

namespace {

// sdbus-c++ has no accessor for the flag ALLOW_INTERACTIVE_AUTHORIZATION, sd-bus sets it on every message of a bus: so
// the sd_bus of a message is taken. The protected member is named through the derived class.
struct RawMessage : sdbus::Message {
  static sd_bus* bus_of(const sdbus::Message& message) {
    return sd_bus_message_get_bus(static_cast<sd_bus_message*>(message.*(&RawMessage::msg_)));
  }
};

void allow_interactive_authorization(sdbus::IConnection& connection) {
  auto proxy = sdbus::createProxy(connection, service, manager_path);
  const auto never_sent = proxy->createMethodCall("org.freedesktop.DBus.Peer", "Ping");
  sd_bus_set_allow_interactive_authorization(RawMessage::bus_of(never_sent), 1);
}

std::unique_ptr<sdbus::IConnection> open_bus(const std::string& bus) {
  try {
    if (bus == "system") return sdbus::createSystemBusConnection();
    if (bus == "session") return sdbus::createSessionBusConnection();
    return sdbus::createSessionBusConnectionWithAddress(bus);
  } catch (const sdbus::Error& error) {
    throw Error("org.freedesktop.DBus.Error.NoServer", "no message bus at `" + bus + "`: " + error.getMessage());
  }
}

}  // namespace

Connection::Connection(const ConnectOptions& options) : bus_(open_bus(options.bus)) {
  guard([&] {
    bus_->setMethodCallTimeout(options.timeout);
    if (options.may_interact) allow_interactive_authorization(*bus_);
    // Nobody there must be said now, not later.
    auto manager = sdbus::createProxy(*bus_, service, manager_path);
    static_cast<void>(manager->getProperty("Version").onInterface("org.p2pd1.Manager"));
  });
}

std::map<sdbus::ObjectPath, std::map<std::string, Properties>> Connection::managed_objects() {
  return guard([&] {
    std::map<sdbus::ObjectPath, std::map<std::string, Properties>> objects;
    auto proxy = sdbus::createProxy(*bus_, service, manager_path);
    proxy->callMethod("GetManagedObjects").onInterface("org.freedesktop.DBus.ObjectManager").storeResultsTo(objects);
    return objects;
  });
}

Properties Connection::properties(const std::string& path, const std::string& interface) {
  return guard([&] {
    Properties properties;
    auto proxy = sdbus::createProxy(*bus_, service, path);
    proxy->callMethod("GetAll")
        .onInterface("org.freedesktop.DBus.Properties")
        .withArguments(interface)
        .storeResultsTo(properties);
    return properties;
  });
}

}  // namespace p2pclient
