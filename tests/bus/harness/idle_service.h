// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A service of nothing: knows no object, and refuses what is asked as cheaply as sd-bus can. What a flood of it costs others
// is the price of the bus.
#pragma once

#include <systemd/sd-bus.h>

#include <stdexcept>
#include <thread>

#include <sys/socket.h>

#include "harness/private_bus.h"

namespace p2pd::test {

class IdleService {
 public:
  static constexpr const char* name = "org.example.Idle";

  explicit IdleService(const PrivateBus& bus) : bus_(bus.connect()), socket_(sd_bus_get_fd(bus_)) {
    if (sd_bus_request_name(bus_, name, 0) < 0) throw std::runtime_error("the name of the idle service is taken");
    thread_ = std::thread([this] {
      int worked = 0;
      while (worked >= 0) worked = worked > 0 ? sd_bus_process(bus_, nullptr) : wait_and_process();
    });
  }
  IdleService(const IdleService&) = delete;
  IdleService& operator=(const IdleService&) = delete;
  ~IdleService() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    sd_bus_close_unref(bus_);
  }

 private:
  int wait_and_process() {
    // Whoever connects as another user interrupts all threads of the process for that (nptl(7)).
    (void)sd_bus_wait(bus_, UINT64_MAX);
    return sd_bus_process(bus_, nullptr);
  }

  sd_bus* bus_;
  int socket_;
  std::thread thread_;
};

}  // namespace p2pd::test
