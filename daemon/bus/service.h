// SPDX-License-Identifier: LGPL-2.1-or-later
//
// p2pd on the bus: turns messages into requests and results into replies, and shows the state as objects and properties.
// Everything that knows sdbus-c++ or sd-bus lives in this folder.
#pragma once

#include <systemd/sd-event.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "arbiter/effect.h"
#include "arbiter/event.h"
#include "arbiter/state.h"
#include "model/machine.h"
#include "platform/files.h"
#include "verdict/judge.h"
#include "verdict/verdict.h"

namespace p2pd {

inline constexpr const char* bus_name = "org.p2pd1";

// What the bus room sees of the rest: values to read, and one place to put requests.
struct Core {
  std::function<const Machine&()> machine;
  std::function<const State&()> state;
  // The judge's verdict with the arbiter's own blockers added (target-not-enabled, group-held …).
  // `holding`: asked on behalf of this one, or null.
  std::function<Verdict(const Address& initiator, const TargetName& target, unsigned address_bits, const Holding* holding)> check;
  // What `check` comes to for each pair, asked on behalf of nobody, row by row.
  std::function<std::vector<Outline>(std::span<const Address> initiators, std::span<const TargetName> targets)> outlines;
  // Puts a request into the event queue; its answer comes through Service::answer, exactly once, never from inside submit.
  std::function<void(Request)> submit;
  // A client named a function that is not in the picture: look once into sysfs. True when it is there now.
  std::function<bool(const Address&)> look_again;
  std::function<Outcome<void>()> reload;
  // What is known of hardware like this, and which files could not be read.
  std::function<const PlatformFiles::Reading&()> platform;
  std::function<Outcome<std::vector<std::string>>()> probe_back_ends;  // names of those that work now
  std::function<unsigned()> requests_per_uid;                          // in flight; more is QuotaExceeded
};

class Service {
 public:
  // `bus`: "system", "session" or a D-Bus address. Registers everything, then takes the name; throws when the name is
  // owned already or the bus cannot be reached.
  Service(sd_event* loop, const std::string& bus, Core core);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service();

  void answer(const Reply& reply);
  void announce(const Announce& announcement);
  void tell(const Tell& notice);
  // The picture changed: objects added, removed, properties changed.
  void machine_changed(const Machine& before, const Machine& after);
  // By what is known, not by the picture.
  void verdicts_changed();

  // Requests that came and are not answered yet (polkit, worker): statistics and shutdown.
  [[nodiscard]] unsigned requests_in_flight() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Object path of a grant: /org/p2pd1/holding/N, /org/p2pd1/mapping/N.
[[nodiscard]] std::string path_of(const GrantId& grant);

}  // namespace p2pd
