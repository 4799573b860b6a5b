// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Somebody on the bus who talks to p2pd, in verbs.
//
//   const auto holding = alice.acquire(initiator, lease).granted()[0].text();
//   EXPECT_EQ(bob.release(holding).error, "NotPermitted");
#pragma once

#include <systemd/sd-bus.h>

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "harness/lease.h"
#include "harness/private_bus.h"
#include "harness/value.h"

namespace p2pd::test {

// What came back. `error` is "" or the error's name, without the prefix if it is one of p2pd's.
struct Answer {
  std::string error;
  std::string text;
  Value body;

  // The arguments of a reply that was no error; else throws with name and text.
  [[nodiscard]] const Value& granted() const;
};
std::ostream& operator<<(std::ostream& stream, const Answer& answer);

struct Signal {
  std::string path;
  std::string name;  // with its interface
  Value body;
};

class Client {
 public:
  Client(const PrivateBus& bus, uid_t uid, const std::set<gid_t>& groups = {});
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  // Leaves the bus as if it had died.
  void vanish();

  // ---- calls of any kind
  struct Call {
    std::string path;
    std::string method;  // with its interface
    Arguments arguments;
    bool may_interact = false;
    const char* whom = "org.p2pd1";
  };
  Answer call(const Call& what);
  // The same without waiting for the answer.
  using Ticket = std::shared_ptr<std::optional<Answer>>;
  Ticket start(const Call& what);
  const Answer& finish(const Ticket& ticket);
  // A signal of ours to p2pd alone.
  void send_signal(const Call& what);
  // So that everything that was sent has left.
  void flush();

  // ---- Manager
  Answer check(const std::string& initiator, const std::string& target, const Options& options = {});
  Answer acquire(const std::string& initiator, const Lease& lease, const Options& options = {});
  Answer acquire(const std::string& initiator, Fd lease, const Options& options = {});
  Answer map_memory(const std::string& holding, int memfd, std::uint64_t offset, std::uint64_t length,
                    const Options& options = {});
  Answer map(const std::string& holding, const std::string& target, const Options& options = {});

  // ---- Device; `target` is ADDRESS:BAR[:OFFSET+LENGTH]
  Answer enable(const std::string& target, const Options& options = {});
  Answer disable(const std::string& target, const Options& options = {});
  Answer offer(const std::string& address, const Options& options = {});
  Answer withdraw(const std::string& address, const Options& options = {});
  Answer bind(const std::string& address, const Options& options = {});
  Answer unbind(const std::string& address, const Options& options = {});
  Answer reset(const std::string& address, const Options& options = {});

  // ---- Holding and Mapping
  Answer release(const std::string& grant);
  Answer revoke(const std::string& grant, const std::string& why, const Options& options = {});

  // ---- looking
  // p2pd has handled everything that came before this.
  void ping() { ping("org.p2pd1"); }
  void ping(const char* whom);
  std::string device(const std::string& address);  // its object
  Value objects();                                 // GetManagedObjects, by path
  std::set<std::string> grants();                  // paths of all holdings and mappings
  Value properties(const std::string& path);       // of its p2pd interface
  Value statistics();

  // ---- listening, from the connection on: the first that fits is waited for and taken out
  using Test = std::function<bool(const Value&)>;
  Signal expect_signal(const std::string& path, const std::string& name, const Test& fits = anything);
  Value expect_added(const std::string& path);  // its interfaces and properties
  void expect_removed(const std::string& path);
  // The value of a property that is announced.
  Value expect_changed(const std::string& path, const std::string& property, const Test& fits = anything);
  // What has come by now, without waiting.
  const std::deque<Signal>& signals();

  static bool anything(const Value&) { return true; }
  static std::string interface_of(const std::string& path);

 private:
  Answer on_device(const std::string& address, const std::string& method, Arguments arguments);
  Answer manager(const std::string& method, Arguments arguments);
  template <class Condition>
  void pump_until(const std::string& what, Condition condition);
  static int on_signal(sd_bus_message* message, void* self, sd_bus_error* error);

  sd_bus* bus_;
  std::deque<Signal> signals_;
};

}  // namespace p2pd::test
