// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What keeps p2pd from lending and mapping on this machine, out of what it tells about itself: a pure function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "p2pclient/client.h"
#include "p2pclient/device.h"
#include "p2pclient/verdict.h"

namespace p2pclient::cli {

struct Diagnosis {
  enum class State : std::uint8_t {
    ok,
    note,     // works, but less than it could, or nobody has asked for it yet
    problem,  // does not work
  };
  std::string subject;
  State state = State::ok;
  std::string found;
  std::string next;  // what to do about it; "" = nothing
};

[[nodiscard]] std::string to_string(Diagnosis::State state);

struct Patient {
  std::string client_version;
  DaemonInfo daemon;
  std::vector<Device> devices;
  Matrix pairs;  // of what is offered and what is enabled
};

[[nodiscard]] std::vector<std::string> offered_initiators(const std::vector<Device>& devices);
[[nodiscard]] std::vector<std::string> enabled_targets(const std::vector<Device>& devices);

[[nodiscard]] std::vector<Diagnosis> diagnose(const Patient& patient);
[[nodiscard]] bool is_healthy(const std::vector<Diagnosis>& found);

}  // namespace p2pclient::cli
