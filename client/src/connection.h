// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The library's side of the bus: one connection, for proxies generated from dbus/*.xml, and the one place where sdbus-c++'s
// errors become the library's.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "p2pclient/client.h"
#include "p2pclient/error.h"

namespace p2pclient {

using Options = std::map<std::string, sdbus::Variant>;
using Properties = std::map<std::string, sdbus::Variant>;

// Proxies for calls only: registerProxy() would subscribe to signals, and notices come over the lease anyway.
template <class Interface>
class CallProxy final : public sdbus::ProxyInterfaces<Interface> {
 public:
  using sdbus::ProxyInterfaces<Interface>::ProxyInterfaces;
};

template <class Interface>
class GrantProxy final : public sdbus::ProxyInterfaces<Interface> {
 public:
  using sdbus::ProxyInterfaces<Interface>::ProxyInterfaces;

 private:
  void onRevoking(const std::string&, const std::uint64_t&) override {}
  void onRevoked(const std::string&) override {}
};

inline const std::string service = "org.p2pd1";
inline const std::string manager_path = "/org/p2pd1";
inline constexpr const char* device_interface = "org.p2pd1.Device";
inline constexpr const char* holding_interface = "org.p2pd1.Holding";
inline constexpr const char* mapping_interface = "org.p2pd1.Mapping";

class Connection {
 public:
  explicit Connection(const ConnectOptions& options);

  template <class Proxy>
  [[nodiscard]] Proxy proxy(const std::string& path) {
    return Proxy(*bus_, service, path);
  }

  // Every function, holding and mapping: path → interface → property.
  [[nodiscard]] std::map<sdbus::ObjectPath, std::map<std::string, Properties>> managed_objects();
  [[nodiscard]] Properties properties(const std::string& path, const std::string& interface);

  // For who waits for signals.
  [[nodiscard]] sdbus::IConnection& bus() { return *bus_; }

 private:
  std::unique_ptr<sdbus::IConnection> bus_;
};

// Runs a call; what the bus says against it becomes an Error.
template <class Call>
auto guard(Call&& call) {
  try {
    return std::forward<Call>(call)();
  } catch (const sdbus::Error& error) {
    throw Error(error.getName(), error.getMessage());
  }
}

}  // namespace p2pclient
