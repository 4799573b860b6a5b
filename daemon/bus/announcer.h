// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Signals about objects, collected while the loop handles what came and sent in one go afterwards: a burst of events
// becomes a few signals. Always from an event source of its own, so never while a message is dispatched: a getter that shows
// something to the caller of a message only has no such caller then.
#pragma once

#include <systemd/sd-bus.h>

#include <functional>
#include <list>
#include <set>
#include <string>

#include "bus/raw.h"

namespace p2pd {

class Announcer {
 public:
  Announcer(sd_event* loop, sd_bus* bus);
  Announcer(const Announcer&) = delete;
  Announcer& operator=(const Announcer&) = delete;
  ~Announcer() = default;

  // The object must be there when the loop turns; when it is not, nothing is sent.
  void added(std::string path);
  // `after` runs when the signal is out: the place to destroy the object, never from inside its own handler.
  void removed(std::string path, const char* interface, std::function<void()> after = {});
  void changed(const std::string& path, const char* interface, const std::set<std::string>& properties);

 private:
  struct News {
    enum class What { added, removed, changed } what;
    std::string path;
    const char* interface = nullptr;
    std::set<std::string> properties;
    std::function<void()> after;
  };
  void remember(News news);
  void send_all();
  void send(const News& news);
  static int on_turn(sd_event_source* source, void* userdata);

  sd_bus* bus_;
  std::list<News> news_;  // in the order in which it happened
  SourceRef turn_;
};

}  // namespace p2pd
