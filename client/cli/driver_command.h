// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What bind and unbind have in common.
#pragma once

#include <string>

#include "cli/command.h"

namespace p2pclient::cli {

struct DriverChange {
  std::string name;
  std::string summary;
  std::string force;  // what --force does
  std::string done;   // "bound"
  void (Client::*change)(const std::string& address, bool force, bool group);
};

[[nodiscard]] Command driver_command(const DriverChange& what);

}  // namespace p2pclient::cli
