// SPDX-License-Identifier: LGPL-2.1-or-later
#include "p2pclient/monitor.h"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "connection.h"
#include "decode.h"
#include "fail.h"

namespace p2pclient {

namespace {

using Interfaces = std::map<std::string, Properties>;

// The one of an object's interfaces that says what it is.
const std::string* kind_in(const Interfaces& interfaces) {
  for (const auto& [name, properties] : interfaces)
    if (name == device_interface || name == holding_interface || name == mapping_interface) return &name;
  return nullptr;
}

struct Known {
  std::string interface;
  Properties properties;
};

Change::Object decode(const std::string& path, const Known& known) {
  if (known.interface == device_interface) return decode_device(known.properties);
  if (known.interface == holding_interface) return decode_holding(path, known.properties);
  return decode_mapping(path, known.properties);
}

std::chrono::milliseconds left_until(std::uint64_t deadline_usec) {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto now_usec = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
  if (deadline_usec <= now_usec) return std::chrono::milliseconds{0};
  return std::chrono::milliseconds{(deadline_usec - now_usec) / 1000};
}

}  // namespace

std::string to_string(Change::Event event) {
  switch (event) {
    case Change::Event::added: return "added";
    case Change::Event::removed: return "removed";
    case Change::Event::changed: return "changed";
    case Change::Event::revoking: return "revoking";
    case Change::Event::revoked: return "revoked";
    case Change::Event::stopped: return "stopped";
    case Change::Event::started: return "started";
  }
  return "changed";
}

struct Monitor::Impl {
  explicit Impl(const ConnectOptions& options) : connection(options) {
    guard([&] {
      // Watch first, look second.
      connection.bus().addMatch(
          "type='signal',sender='org.p2pd1',path_namespace='/org/p2pd1'", [this](sdbus::Message& signal) { on_signal(signal); },
          sdbus::floating_slot);
      connection.bus().addMatch(
          "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.p2pd1'",
          [this](sdbus::Message& signal) { on_owner(signal); }, sdbus::floating_slot);
    });
    look();
  }

  void look() {
    std::map<std::string, Known> now;
    for (const auto& [path, interfaces] : connection.managed_objects())
      if (const auto* kind = kind_in(interfaces)) now.emplace(path, Known{*kind, interfaces.at(*kind)});
    if (has_looked) tell_differences(now);
    known = std::move(now);
    has_looked = true;
    is_there = true;
  }

  void tell_differences(const std::map<std::string, Known>& now) {
    for (const auto& [path, before] : known)
      if (!now.contains(path)) tell({.event = Change::Event::removed, .path = path, .before = decode(path, before)});
    for (const auto& [path, object] : now) {
      const auto before = known.find(path);
      if (before == known.end())
        tell({.event = Change::Event::added, .path = path, .after = decode(path, object)});
      else
        tell_change(path, decode(path, before->second), decode(path, object));
    }
  }

  void tell(Change change) { changes.push_back(std::move(change)); }

  void tell_change(const std::string& path, Change::Object before, Change::Object after) {
    if (before != after)
      tell({.event = Change::Event::changed, .path = path, .before = std::move(before), .after = std::move(after)});
  }

  void on_signal(sdbus::Message& signal) {
    const std::string member = signal.getMemberName();
    try {
      if (member == "InterfacesAdded") return on_added(signal);
      if (member == "InterfacesRemoved") return on_removed(signal);
      if (member == "PropertiesChanged") return on_changed(signal);
      if (member == "Revoking" || member == "Revoked") return on_revocation(signal, member == "Revoking");
    } catch (const sdbus::Error&) {
      must_look = true;  // of a form that this version does not know: what it was about is seen all the same
    }
  }

  void on_added(sdbus::Message& signal) {
    sdbus::ObjectPath path;
    Interfaces interfaces;
    signal >> path >> interfaces;
    const auto* kind = kind_in(interfaces);
    // What look() has seen already may be announced after it.
    if (kind == nullptr || known.contains(path)) return;
    const auto& object = known[path] = Known{*kind, interfaces.at(*kind)};
    tell({.event = Change::Event::added, .path = path, .after = decode(path, object)});
  }

  void on_removed(sdbus::Message& signal) {
    sdbus::ObjectPath path;
    std::vector<std::string> interfaces;
    signal >> path >> interfaces;
    const auto gone = known.extract(path);
    if (gone.empty()) return;
    tell({.event = Change::Event::removed, .path = path, .before = decode(path, gone.mapped())});
  }

  void on_changed(sdbus::Message& signal) {
    const std::string path = signal.getPath();
    std::string interface;
    Properties changed;
    std::vector<std::string> invalidated;
    signal >> interface >> changed >> invalidated;
    const auto found = known.find(path);
    if (found == known.end() || found->second.interface != interface) return;
    auto& object = found->second;
    auto before = decode(path, object);
    for (auto& [name, value] : changed) object.properties[name] = std::move(value);
    if (!invalidated.empty()) to_read.insert(path);
    tell_change(path, std::move(before), decode(path, object));
  }

  void on_revocation(sdbus::Message& signal, bool is_coming) {
    const std::string path = signal.getPath();
    Change change{.event = is_coming ? Change::Event::revoking : Change::Event::revoked, .path = path};
    std::uint64_t deadline_usec = 0;
    signal >> change.reason;
    if (is_coming) signal >> deadline_usec;
    change.deadline = left_until(deadline_usec);
    if (const auto found = known.find(path); found != known.end()) change.before = change.after = decode(path, found->second);
    tell(std::move(change));
  }

  void on_owner(sdbus::Message& signal) {
    std::string name;
    std::string before;
    std::string after;
    signal >> name >> before >> after;
    if (!before.empty() && is_there) {
      is_there = false;
      tell({.event = Change::Event::stopped});
    }
    if (after.empty()) return;
    tell({.event = Change::Event::started});
    must_look = true;
  }

  // Calls of our own wait until no signal is being handled.
  void catch_up() {
    if (std::exchange(must_look, false)) {
      try {
        look();
      } catch (const Error& error) {
        // It left again, or another owner came before it answered: that is announced, too.
        if (!error.is_unreachable()) throw;
      }
    }
    for (const auto& path : std::exchange(to_read, {})) read_again(path);
  }

  void read_again(const std::string& path) {
    const auto found = known.find(path);
    if (found == known.end()) return;
    auto before = decode(path, found->second);
    try {
      found->second.properties = connection.properties(path, found->second.interface);
    } catch (const Error&) {
      return;  // it has gone; its removal is on the way
    }
    tell_change(path, std::move(before), decode(path, found->second));
  }

  // False when nothing came in time.
  bool wait(std::chrono::milliseconds left) {
    const auto bus = connection.bus().getEventLoopPollData();
    constexpr std::chrono::milliseconds longest{std::numeric_limits<int>::max()};
    pollfd waiting{bus.fd, bus.events, 0};
    const int bus_timeout = bus.getPollTimeout();
    const int timeout = static_cast<int>(std::min(left, longest).count());
    const int ready = ::poll(&waiting, 1, bus_timeout < 0 ? timeout : std::min(bus_timeout, timeout));
    if (ready < 0 && errno != EINTR) fail("poll of the bus");
    return ready != 0;
  }

  Connection connection;
  std::map<std::string, Known> known;
  std::deque<Change> changes;
  std::set<std::string> to_read;  // objects with properties that were announced without their values
  bool has_looked = false;
  bool must_look = false;
  bool is_there = false;
};

Monitor::Monitor(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Monitor::Monitor(Monitor&&) noexcept = default;
Monitor& Monitor::operator=(Monitor&&) noexcept = default;
Monitor::~Monitor() = default;

Monitor Monitor::start(const ConnectOptions& options) { return Monitor(std::make_unique<Impl>(options)); }

std::optional<Change> Monitor::next(std::chrono::milliseconds timeout) {
  const auto start = std::chrono::steady_clock::now();
  while (impl_->changes.empty()) {
    while (guard([&] { return impl_->connection.bus().processPendingRequest(); })) {
    }
    impl_->catch_up();
    if (!impl_->changes.empty()) break;
    const auto waited = std::chrono::floor<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
    if (timeout <= waited) return std::nullopt;
    static_cast<void>(impl_->wait(timeout - waited));
  }
  auto change = std::move(impl_->changes.front());
  impl_->changes.pop_front();
  return change;
}

}  // namespace p2pclient
