// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/connection.h"

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "bus/errors.h"

namespace p2pd {

namespace {

std::unique_ptr<sdbus::IConnection> open(const std::string& bus) {
  try {
    if (bus == "system") return sdbus::createSystemBusConnection();
    if (bus == "session") return sdbus::createSessionBusConnection();
    return sdbus::createSessionBusConnectionWithAddress(bus);
  } catch (const sdbus::Error& error) {
    throw std::runtime_error("the bus `" + bus + "` cannot be reached: " + error.getMessage());
  }
}

}  // namespace

Connection::Connection(sd_event* loop, const std::string& bus) : connection_(open(bus)), raw_(compat::raw_bus(*connection_)) {
  must(sd_bus_set_exit_on_disconnect(raw_, 1), "sd_bus_set_exit_on_disconnect");
  must(sd_bus_attach_event(raw_, loop, SD_EVENT_PRIORITY_NORMAL), "sd_bus_attach_event");
}

Connection::~Connection() {
  (void)sd_bus_flush(raw_);
  (void)sd_bus_detach_event(raw_);
}

void Connection::take_name(const char* name) {
  const int result = sd_bus_request_name(raw_, name, 0);
  if (result >= 0) return;
  const std::string which{name};
  if (result == -EEXIST || result == -EALREADY)
    throw std::runtime_error("the name " + which + " is owned already on this bus: another p2pd runs");
  if (result == -EACCES || result == -EPERM)
    throw std::runtime_error("the bus does not let this user own the name " + which + " (policy " + which + ".conf)");
  throw std::system_error(-result, std::generic_category(), "the name " + which + " cannot be had");
}

}  // namespace p2pd
