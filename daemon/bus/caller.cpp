// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/caller.h"

#include <systemd/sd-login.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "bus/errors.h"
#include "bus/raw.h"
#include "effects/owner_process.h"

namespace p2pd {

namespace {

constexpr std::chrono::seconds bus_timeout{25};
constexpr std::size_t most_known_senders = 1024;

struct Credentials {
  std::optional<uid_t> uid;
  pid_t pid = 0;
  std::set<gid_t> groups;
};

std::uint32_t number_in_variant(sd_bus_message* reply) {
  std::uint32_t number = 0;
  must(sd_bus_message_read(reply, "v", "u", &number), "read credential");
  return number;
}

std::set<gid_t> groups_in_variant(sd_bus_message* reply) {
  std::set<gid_t> groups;
  must(sd_bus_message_enter_container(reply, 'v', "au"), "enter groups");
  const void* data = nullptr;
  std::size_t bytes = 0;
  must(sd_bus_message_read_array(reply, 'u', &data, &bytes), "read groups");
  const auto* numbers = static_cast<const std::uint32_t*>(data);
  groups.insert(numbers, numbers + bytes / sizeof(std::uint32_t));
  must(sd_bus_message_exit_container(reply), "exit groups");
  return groups;
}

Credentials read_credentials(sd_bus_message* reply) {
  Credentials result;
  must(sd_bus_message_enter_container(reply, 'a', "{sv}"), "enter credentials");
  while (must(sd_bus_message_enter_container(reply, 'e', "sv"), "enter credential") > 0) {
    const char* name = nullptr;
    must(sd_bus_message_read(reply, "s", &name), "read name of credential");
    const std::string_view key{name};
    if (key == "UnixUserID")  // the effective one: SO_PEERCRED of the connection
      result.uid = number_in_variant(reply);
    else if (key == "ProcessID")
      result.pid = static_cast<pid_t>(number_in_variant(reply));
    else if (key == "UnixGroupIDs")
      result.groups = groups_in_variant(reply);
    else
      must(sd_bus_message_skip(reply, "v"), "skip credential");
    must(sd_bus_message_exit_container(reply), "exit credential");
  }
  must(sd_bus_message_exit_container(reply), "exit credentials");
  return result;
}

// For the log only: the process may have ended, and its pid may be another's by now.
std::string unit_of(pid_t pid) {
  char* unit = nullptr;
  if (pid <= 0 || sd_pid_get_unit(pid, &unit) < 0) return "";
  const std::unique_ptr<char, Dropper<std::free>> owned{unit};
  return owned.get();
}

Outcome<Caller> caller_from(sd_bus_message* reply, std::string sender, bool may_interact) {
  if (sd_bus_message_is_method_error(reply, nullptr) > 0)
    return refuse(ErrorCode::failed, "the bus does not know who sent this request");
  const auto credentials = read_credentials(reply);
  if (!credentials.uid) return refuse(ErrorCode::failed, "the bus does not say which user sent this request");
  Caller caller;
  caller.sender = std::move(sender);
  caller.euid = *credentials.uid;
  caller.pid = credentials.pid;
  caller.unit = unit_of(credentials.pid);
  caller.may_interact = may_interact;
  caller.groups = credentials.groups;
  return caller;
}

}  // namespace

void identify(Calls& calls, sd_bus_message* call, std::function<void(Outcome<Caller>)> done) {
  const char* name = sd_bus_message_get_sender(call);
  if (name == nullptr) throw std::runtime_error("a request without a sender: not a bus");
  sd_bus_message* made = nullptr;
  must(sd_bus_message_new_method_call(calls.bus(), &made, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                      "GetConnectionCredentials"),
       "new GetConnectionCredentials");
  const MessageRef question{made};
  must(sd_bus_message_append(question.get(), "s", name), "append sender");
  const bool may_interact = sd_bus_message_get_allow_interactive_authorization(call) > 0;
  calls.send(question.get(), bus_timeout,
             [sender = std::string{name}, may_interact, done = std::move(done)](sd_bus_message* reply) {
               done(caller_from(reply, sender, may_interact));
             });
}

void identify_process(Calls& calls, const Caller& caller, std::function<void(UniqueFd)> done) {
  const auto process = std::make_shared<UniqueFd>(open_process(caller.pid, caller.euid));
  sd_bus_message* made = nullptr;
  must(sd_bus_message_new_method_call(calls.bus(), &made, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                      "NameHasOwner"),
       "new NameHasOwner");
  const MessageRef question{made};
  must(sd_bus_message_append(question.get(), "s", caller.sender.c_str()), "append sender");
  // Asked after the pidfd was made: a connection that is there still was there then.
  calls.send(question.get(), bus_timeout, [process, done = std::move(done)](sd_bus_message* reply) {
    int is_there = 0;
    if (sd_bus_message_is_method_error(reply, nullptr) > 0 || sd_bus_message_read(reply, "b", &is_there) < 0 || is_there == 0)
      process->reset();
    done(std::move(*process));
  });
}

std::optional<uid_t> SenderUids::of(sd_bus_message* message) {
  const char* sender = sd_bus_message_get_sender(message);
  if (sender == nullptr) return std::nullopt;
  if (const auto known = known_.find(sender); known != known_.end()) return known->second;
  // Without AUGMENT: what the bus says, never /proc.
  sd_bus_creds* made = nullptr;
  if (sd_bus_query_sender_creds(message, SD_BUS_CREDS_EUID, &made) < 0) return std::nullopt;
  const std::unique_ptr<sd_bus_creds, Dropper<sd_bus_creds_unref>> credentials{made};
  uid_t uid = 0;
  if (sd_bus_creds_get_euid(credentials.get(), &uid) < 0) return std::nullopt;
  if (known_.size() >= most_known_senders) known_.clear();
  known_.emplace(sender, uid);
  return uid;
}

}  // namespace p2pd
