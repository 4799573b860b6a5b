// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/authority.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "bus/authority_table.h"
#include "bus/guard.h"
#include "bus/wire.h"

namespace p2pd {

namespace {

// A user needs time to type a password. Without one polkit answers at once; 20 s is below the 25 s after which a client's
// own call times out, so that it still sees our refusal.
constexpr std::chrono::minutes interactive_timeout{5};
constexpr std::chrono::seconds silent_timeout{20};

constexpr std::uint32_t allow_user_interaction = 1;

MessageRef new_polkit_call(sd_bus* bus, const char* method) {
  sd_bus_message* made = nullptr;
  must(sd_bus_message_new_method_call(bus, &made, "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
                                      "org.freedesktop.PolicyKit1.Authority", method),
       "new call of polkit");
  return MessageRef{made};
}

std::string cancellation_id(std::uint64_t question) { return "p2pd-" + std::to_string(question); }

tl::unexpected<Reason> refuse_action(Action action, const std::string& why) {
  return refuse(ErrorCode::not_permitted, std::string{name_of(action)} + " is not granted (" + why + "): " + grant_hint(action));
}

std::string why_polkit_failed(const sd_bus_error& error) {
  const std::string_view name{error.name};
  // NameHasNoOwner and Spawn.*: polkit is installed in part, or could not be started.
  if (name == SD_BUS_ERROR_SERVICE_UNKNOWN || name == SD_BUS_ERROR_NAME_HAS_NO_OWNER ||
      name.starts_with("org.freedesktop.DBus.Error.Spawn") || name.starts_with("org.freedesktop.systemd1."))
    return "polkit does not run here, so only root may";
  if (name == SD_BUS_ERROR_NO_REPLY || name == SD_BUS_ERROR_TIMEOUT || name == SD_BUS_ERROR_DISCONNECTED)
    return "polkit did not answer";
  return "polkit could not decide: " + printable(error.message == nullptr ? error.name : error.message);
}

Outcome<void> read_answer(Action action, sd_bus_message* reply) {
  if (const auto* error = sd_bus_message_get_error(reply); error != nullptr)
    return refuse_action(action, why_polkit_failed(*error));
  int is_authorized = 0;
  int is_challenge = 0;
  must(sd_bus_message_enter_container(reply, 'r', "bba{ss}"), "read answer of polkit");
  must(sd_bus_message_read(reply, "bb", &is_authorized, &is_challenge), "read answer of polkit");
  if (is_authorized != 0) return {};
  return refuse_action(action, is_challenge != 0 ? "authentication is needed" : "polkit says no");
}

}  // namespace

void Authority::ask(const Caller& caller, std::vector<Action> actions, Details details, Done done) {
  const auto id = next_id_++;
  questions_.emplace(id, Question{caller.sender, caller.euid, caller.may_interact, false, std::move(actions), std::move(details),
                                  std::move(done)});
  send_next_of(caller.euid);
}

void Authority::send_next_of(uid_t uid) {
  unsigned open = 0;
  for (const auto& [id, question] : questions_) open += question.uid == uid && question.is_sent ? 1 : 0;
  if (open >= open_questions_per_uid) return;
  const auto waits = [&](const auto& entry) { return entry.second.uid == uid && !entry.second.is_sent; };
  const auto next = std::find_if(questions_.begin(), questions_.end(), waits);
  if (next == questions_.end()) return;
  const auto id = next->first;
  try {
    watch_names();
    send(id);
  } catch (...) {
    finish(id, tl::unexpected<Reason>(reason_of_exception("question to polkit")));
  }
}

void Authority::send(std::uint64_t id) {
  auto& question = questions_.at(id);
  question.is_sent = true;
  const auto call = new_polkit_call(calls_.bus(), "CheckAuthorization");
  // By unique name, never by pid: a pid can be another process's when polkit looks.
  must(sd_bus_message_append(call.get(), "(sa{sv})s", "system-bus-name", 1, "name", "s", question.sender.c_str(),
                             name_of(question.actions.front())),
       "append subject");
  put(call.get(), question.details);
  must(sd_bus_message_append(call.get(), "us", question.may_interact ? allow_user_interaction : 0U, cancellation_id(id).c_str()),
       "append flags");
  const std::chrono::microseconds timeout =
      question.may_interact ? std::chrono::microseconds{interactive_timeout} : silent_timeout;
  calls_.send(call.get(), timeout, [this, id](sd_bus_message* reply) { on_answer(id, reply); });
}

void Authority::on_answer(std::uint64_t id, sd_bus_message* reply) {
  const auto found = questions_.find(id);
  if (found == questions_.end()) return;  // its caller left, we cancelled
  auto& actions = found->second.actions;
  Outcome<void> outcome;
  try {
    outcome = read_answer(actions.front(), reply);
    if (outcome && actions.size() > 1) {
      actions.erase(actions.begin());
      return send(id);
    }
  } catch (...) {
    // An answer that is not polkit's: whatever it meant, it is not a yes.
    outcome = tl::unexpected<Reason>(reason_of_exception("answer of polkit"));
  }
  if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY) > 0) cancel(id);
  finish(id, std::move(outcome));
}

void Authority::finish(std::uint64_t id, Outcome<void> outcome) {
  auto node = questions_.extract(id);
  if (questions_.empty()) name_watch_.reset();
  if (node.empty()) return;
  node.mapped().done(std::move(outcome));
  send_next_of(node.mapped().uid);
}

void Authority::cancel(std::uint64_t id) {
  guard_callback("cancelled question to polkit", [&] {
    const auto call = new_polkit_call(calls_.bus(), "CancelCheckAuthorization");
    put(call.get(), cancellation_id(id));
    must(sd_bus_message_set_auto_start(call.get(), 0), "sd_bus_message_set_auto_start");
    calls_.send_and_forget(call.get());
  });
}

void Authority::watch_names() {
  if (name_watch_) return;
  // With no callback of ours sd-bus would close the whole connection when the bus refuses the match.
  const auto installed = [](sd_bus_message* reply, void* /*userdata*/, sd_bus_error* /*error*/) -> int {
    if (const auto* error = sd_bus_message_get_error(reply); error != nullptr)
      spdlog::warn("p2pd will not see clients leave while polkit is asked: {}", error->name);
    return 1;
  };
  sd_bus_slot* slot = nullptr;
  must(sd_bus_add_match_async(calls_.bus(), &slot,
                              "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                              "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''",
                              &Authority::on_name_owner_changed, installed, this),
       "sd_bus_add_match_async");
  name_watch_.reset(slot);
}

int Authority::on_name_owner_changed(sd_bus_message* signal, void* userdata, sd_bus_error* /*error*/) {
  guard_callback("NameOwnerChanged", [&] {
    const char* name = nullptr;
    const char* before = nullptr;
    const char* after = nullptr;
    must(sd_bus_message_read(signal, "sss", &name, &before, &after), "read NameOwnerChanged");
    if (std::string_view{after}.empty()) static_cast<Authority*>(userdata)->on_name_gone(name);
  });
  return 0;
}

void Authority::on_name_gone(const std::string& name) {
  std::vector<std::uint64_t> left;
  for (const auto& [id, question] : questions_)
    if (question.sender == name) left.push_back(id);
  for (const auto id : left) {
    const auto found = questions_.find(id);
    if (found == questions_.end()) continue;
    if (found->second.is_sent) cancel(id);
    finish(id, refuse(ErrorCode::not_permitted, "the client left before polkit answered"));
  }
}

}  // namespace p2pd
