// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/verdict_wire.h"

#include <cstdint>
#include <vector>

#include "bus/wire.h"

namespace p2pd {

namespace {

// One a{sv}, from construction to close().
class Dictionary {
 public:
  explicit Dictionary(sd_bus_message* message) : message_(message) {
    must(sd_bus_message_open_container(message_, 'a', "{sv}"), "open dictionary");
  }

  template <class T>
  void add(const char* key, const T& value) {
    add(key, signature_of<T>().c_str(), [&] { put(message_, value); });
  }
  // A value that `put_value` puts.
  template <class PutValue>
  void add(const char* key, const char* signature, PutValue&& put_value) {
    must(sd_bus_message_open_container(message_, 'e', "sv"), "open entry");
    must(sd_bus_message_append_basic(message_, 's', key), "append key");
    must(sd_bus_message_open_container(message_, 'v', signature), "open variant");
    put_value();
    must(sd_bus_message_close_container(message_), "close variant");
    must(sd_bus_message_close_container(message_), "close entry");
  }
  void close() { must(sd_bus_message_close_container(message_), "close dictionary"); }

 private:
  sd_bus_message* message_;
};

void put_rule(sd_bus_message* message, const KernelRule& rule) {
  Dictionary dictionary(message);
  dictionary.add("present", std::string(to_string(rule.present)));
  dictionary.add("map_type", std::string(to_string(rule.map_type)));
  dictionary.add("distance", rule.distance ? static_cast<std::int32_t>(*rule.distance) : -1);
  dictionary.add("table", rule.table);
  dictionary.close();
}

void put_blocker(sd_bus_message* message, const Blocker& blocker) {
  Dictionary dictionary(message);
  dictionary.add("code", blocker.code);
  dictionary.add("severity", std::string(to_string(blocker.severity)));
  dictionary.add("certain", blocker.is_certain);
  dictionary.add("where", blocker.where);
  dictionary.add("observed", blocker.observed);
  dictionary.add("needed", blocker.needed);
  dictionary.add("remedy", blocker.remedy);
  dictionary.add("isolation", blocker.isolation);
  dictionary.close();
}

}  // namespace

// By the raw message: a sdbus::Variant is a message of its own, and sixty of them cost more than the bus.
void put_verdict(sd_bus_message* reply, const Verdict& verdict) {
  Dictionary dictionary(reply);
  dictionary.add("initiator", verdict.initiator.to_string());
  dictionary.add("target", verdict.target.to_string());
  dictionary.add("possible", std::string(to_string(verdict.possible)));
  dictionary.add("answer", std::string(to_string(verdict.answer)));
  dictionary.add("route", std::string(to_string(verdict.route)));
  dictionary.add("decided_by", std::string(to_string(verdict.decided_by)));
  dictionary.add("writes", std::string(to_string(verdict.directions.writes)));
  dictionary.add("reads", std::string(to_string(verdict.directions.reads)));
  dictionary.add("translated", std::string(to_string(verdict.directions.translated)));
  dictionary.add("evidence", std::string(to_string(verdict.evidence)));
  dictionary.add("kernel", "a{sv}", [&] { put_rule(reply, verdict.kernel); });
  dictionary.add("blockers", "aa{sv}", [&] {
    must(sd_bus_message_open_container(reply, 'a', "a{sv}"), "open array");
    for (const auto& blocker : verdict.blockers) put_blocker(reply, blocker);
    must(sd_bus_message_close_container(reply), "close array");
  });
  dictionary.add("remedies", verdict.remedies);
  dictionary.add("notes", verdict.notes);
  dictionary.close();
}

std::string summary_of(const Verdict& verdict) {
  auto summary = to_string(verdict.answer);
  if (verdict.blockers.empty()) return summary;
  summary += " [";
  for (const auto& blocker : verdict.blockers) summary += (summary.back() == '[' ? "" : " ") + blocker.code;
  return summary + "]";
}

}  // namespace p2pd
