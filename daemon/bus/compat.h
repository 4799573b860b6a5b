// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What differs between sdbus-c++ 1.2 and 2.x, and the way to the sd_bus below it. Nothing else knows the version.
#pragma once

#include <sdbus-c++/sdbus-c++.h>
#include <systemd/sd-bus.h>

#include <memory>
#include <string>
#include <type_traits>

#if __has_include(<sdbus-c++/VTableItems.h>)  // a header of 2.x only
#define P2PD_SDBUS_2 1
#else
#define P2PD_SDBUS_2 0
#endif

namespace p2pd::compat {

#if P2PD_SDBUS_2
using ServiceName = sdbus::ServiceName;
using InterfaceName = sdbus::InterfaceName;
using MethodName = sdbus::MethodName;
using ErrorName = sdbus::Error::Name;
#else
using ServiceName = std::string;
using InterfaceName = std::string;
using MethodName = std::string;
using ErrorName = std::string;
#endif

// Names the protected member through a derived class: legal C++, no cast between unrelated types.
struct RawMessage : sdbus::Message {
  static_assert(std::is_same_v<decltype(RawMessage::msg_), void*>);
  static sd_bus_message* of(const sdbus::Message& message) { return static_cast<sd_bus_message*>(message.*(&RawMessage::msg_)); }
};

// The connection's real sd_bus: sdbus-c++ 1.2 gives it to nobody, but every message knows its bus.
inline sd_bus* raw_bus(sdbus::IConnection& connection) {
  const auto proxy =
      sdbus::createProxy(connection, ServiceName{"org.freedesktop.DBus"}, sdbus::ObjectPath{"/org/freedesktop/DBus"});
  const auto never_sent = proxy->createMethodCall(InterfaceName{"org.freedesktop.DBus.Peer"}, MethodName{"Ping"});
  return sd_bus_message_get_bus(RawMessage::of(never_sent));
}

}  // namespace p2pd::compat
