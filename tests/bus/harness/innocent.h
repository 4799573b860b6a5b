// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How long p2pd lets somebody wait who does no harm. On a machine with few processors that also run the attacker and the bus,
// a time says little by itself: so the same client asks another service, on the same bus, which has nothing else to do, in
// turns. What bus and processors cost is in both.
#pragma once

#include <chrono>
#include <ostream>
#include <string>
#include <thread>

#include "harness/client.h"
#include "harness/private_bus.h"
#include "model/unique_fd.h"

namespace p2pd::test {

// Answers Ping, in a thread of its own.
class IdleService {
 public:
  explicit IdleService(const PrivateBus& bus);
  IdleService(const IdleService&) = delete;
  IdleService& operator=(const IdleService&) = delete;
  ~IdleService();

 private:
  void run();

  sd_bus* bus_;
  UniqueFd leave_;
  std::thread thread_;
};

struct Latency {
  std::chrono::microseconds median{0};
  std::chrono::microseconds nearly_all{0};  // the 99th percentile
};
struct Latencies {
  std::size_t samples = 0;
  Latency p2pd;
  Latency idle;
  // Of the medians.
  [[nodiscard]] double ratio() const {
    return static_cast<double>(p2pd.median.count()) / static_cast<double>(idle.median.count());
  }
};
std::ostream& operator<<(std::ostream& stream, const Latencies& latencies);

class Innocent {
 public:
  Innocent(const PrivateBus& bus, uid_t uid);
  Innocent(const Innocent&) = delete;
  Innocent& operator=(const Innocent&) = delete;
  ~Innocent() { sd_bus_flush_close_unref(bus_); }

  // Pings both in turns for so long. Throws when an answer does not come.
  [[nodiscard]] Latencies measure(std::chrono::milliseconds duration);

 private:
  [[nodiscard]] std::chrono::microseconds ping(const char* service);

  sd_bus* bus_;
};

}  // namespace p2pd::test
