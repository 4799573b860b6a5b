// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What changes in p2pd's picture, as it happens: functions, holdings, mappings.
//
//   auto monitor = p2pclient::Monitor::start();
//   while (const auto change = monitor.next()) …
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "p2pclient/client.h"
#include "p2pclient/device.h"

namespace p2pclient {

struct Change {
  enum class Event : std::uint8_t {
    added,
    removed,
    changed,
    revoking,  // a holding or mapping will be taken away after `deadline`, because of `reason`
    revoked,   // it was taken away because of `reason`; `removed` follows
    stopped,   // p2pd left the bus; what changes from here on is told after it came back
    started,   // p2pd is back; how its picture differs from the last one follows
  };
  // monostate: of an event about p2pd itself, or of an object that came and went faster than it could be looked at.
  using Object = std::variant<std::monostate, Device, HoldingInfo, MappingInfo>;

  Event event = Event::changed;
  std::string path;  // of the object; empty when the event is about p2pd itself
  Object before;     // as it was; monostate for added
  Object after;      // as it is; monostate for removed
  std::string reason;
  std::chrono::milliseconds deadline{0};
};

// "added", "removed", …
[[nodiscard]] std::string to_string(Change::Event event);

// Use from one thread at a time.
class Monitor {
 public:
  // Watches first and looks second: what changes after the return is told. Throws Error as Client::connect does.
  [[nodiscard]] static Monitor start(const ConnectOptions& options = {});
  Monitor(Monitor&&) noexcept;
  Monitor& operator=(Monitor&&) noexcept;
  ~Monitor();

  // The next change; nothing when none comes within `timeout`. Changes of one object come in order. Throws Error when the
  // bus is gone.
  [[nodiscard]] std::optional<Change> next(std::chrono::milliseconds timeout = std::chrono::milliseconds::max());

 private:
  struct Impl;
  explicit Monitor(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace p2pclient
