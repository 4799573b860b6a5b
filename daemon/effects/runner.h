// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs the arbiter's effects that touch kernel, leases and clock; each comes back as an event through `post`.
// Kernel effects run on one worker thread in the order given, changes of drivers on another, zeros are written on a third;
// leases are watched on the loop's thread.
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "arbiter/effect.h"
#include "arbiter/event.h"
#include "driver/driver.h"
#include "mapping/back_ends.h"
#include "mapping/transaction.h"
#include "state/fd_store.h"

namespace p2pd {

class Runner {
 public:
  struct Parts {
    sd_event* loop = nullptr;
    BackEnds back_ends;        // used by the worker only
    FdStore* store = nullptr;  // used by the worker only
    DriverPaths driver_paths;
    std::filesystem::path runtime_directory = "/run/p2pd";  // who was lent memory of kernel drivers
    // How long the end waits for a driver that takes or lets go of its function: cut off in the middle, a change leaves a
    // function without a driver.
    std::chrono::milliseconds driver_patience{std::chrono::seconds{10}};
    std::function<void(Event)> post;                     // called on the loop's thread only
    std::function<std::string(const GrantId&)> path_of;  // object path, for notices over the lease
    FaultInjector fail;                                  // tests only: makes a step fail by its name
  };
  explicit Runner(Parts parts);
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  // Joins the workers, but for a driver that hangs. Everything must have been closed by effects before (or the process is about
  // to end).
  ~Runner();

  void run(OpenTarget effect);
  void run(CloseTarget effect);
  void run(ResetFunction effect);
  void run(OpenHolding effect);
  void run(CloseHolding effect);
  void run(ClearOut effect);
  void run(MapClientMemory effect);
  void run(MapPeer effect);
  void run(ExportBar effect);
  void run(EndExport effect);
  void run(LendPeerMemory effect);
  void run(EndPeerMemory effect);
  void run(Unmap effect);
  void run(BindToVfio effect);
  void run(UnbindFromVfio effect);
  void run(const Tell& effect);
  void run(const StartDeadline& effect);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace p2pd
