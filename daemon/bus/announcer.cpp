// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/announcer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "bus/guard.h"

namespace p2pd {

Announcer::Announcer(sd_event* loop, sd_bus* bus) : bus_(bus) {
  sd_event_source* source = nullptr;
  must(sd_event_add_defer(loop, &source, &Announcer::on_turn, this), "sd_event_add_defer");
  turn_.reset(source);
  must(sd_event_source_set_enabled(source, SD_EVENT_OFF), "sd_event_source_set_enabled");
}

void Announcer::added(std::string path) { remember({News::What::added, std::move(path), nullptr, {}, {}}); }

void Announcer::removed(std::string path, const char* interface, std::function<void()> after) {
  // Nobody has heard of what comes and goes within one turn, nor needs its last changes.
  const auto about_it = [&](const News& news) { return news.path == path && news.what != News::What::removed; };
  const bool was_known = std::none_of(news_.begin(), news_.end(),
                                      [&](const News& news) { return about_it(news) && news.what == News::What::added; });
  news_.remove_if(about_it);
  remember({News::What::removed, std::move(path), was_known ? interface : nullptr, {}, std::move(after)});
}

void Announcer::changed(const std::string& path, const char* interface, const std::set<std::string>& properties) {
  for (auto& news : news_) {
    if (news.path != path || news.what == News::What::removed) continue;
    // An object that is announced in this turn is announced as it is then.
    if (news.what == News::What::changed) news.properties.insert(properties.begin(), properties.end());
    return;
  }
  remember({News::What::changed, path, interface, properties, {}});
}

void Announcer::remember(News news) {
  news_.push_back(std::move(news));
  must(sd_event_source_set_enabled(turn_.get(), SD_EVENT_ONESHOT), "sd_event_source_set_enabled");
}

void Announcer::send_all() {
  // What is announced while we send waits for the next turn.
  for (const auto news = std::exchange(news_, {}); const auto& item : news) {
    guard_callback("signal about an object", [&] { send(item); });
    if (item.after) guard_callback("end of an object", item.after);
  }
}

void Announcer::send(const News& news) {
  switch (news.what) {
    case News::What::added:
      // ENOENT and the like: it has gone again in the meantime.
      (void)sd_bus_emit_object_added(bus_, news.path.c_str());
      return;
    case News::What::removed:
      if (news.interface != nullptr)
        must(sd_bus_emit_interfaces_removed(bus_, news.path.c_str(), news.interface, nullptr), "sd_bus_emit_interfaces_removed");
      return;
    case News::What::changed: {
      std::vector<char*> names;
      names.reserve(news.properties.size() + 1);
      // sd-bus takes char** but does not write.
      for (const auto& name : news.properties) names.push_back(const_cast<char*>(name.c_str()));
      names.push_back(nullptr);
      (void)sd_bus_emit_properties_changed_strv(bus_, news.path.c_str(), news.interface, names.data());
      return;
    }
  }
}

int Announcer::on_turn(sd_event_source* /*source*/, void* userdata) {
  guard_callback("announcements", [&] { static_cast<Announcer*>(userdata)->send_all(); });
  return 0;
}

}  // namespace p2pd
