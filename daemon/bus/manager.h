// SPDX-License-Identifier: LGPL-2.1-or-later
//
// org.p2pd1.Manager at /org/p2pd1.
#pragma once

#include <memory>

#include "bus/announcer.h"
#include "bus/connection.h"
#include "bus/intake.h"
#include "bus/service.h"

namespace p2pd {

class Manager {
 public:
  // All must live longer.
  Manager(Connection& connection, Announcer& announcer, Intake& intake, const Core& core);
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager();

  // Machine, targets or offers changed: verdicts that were given may be out of date.
  void next_generation();

 private:
  class Object;
  std::unique_ptr<Object> object_;
};

}  // namespace p2pd
